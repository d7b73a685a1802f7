"""A service that keeps memories in a list, for the command line to speak to."""

import io
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import (
    BatchCreateMemoriesResponse,
    CreateMemoryResponse,
    DeleteMemoryResponse,
    GetMemoryResponse,
    ListMemoriesResponse,
    UpdateMemoryResponse,
)
from quipu.v1.space_pb2 import Space
from quipu.v1.space_service_pb2 import GetSpaceResponse
from quipu_server.cli import run
from tests.unit.fake_server import QUICK_RETRIES, FakeServer, fake_server

Run = Callable[..., int]


class Notebook:
    """What was stored, in order, and the answers that store it."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.memories: list[Memory] = []
        self.answered: dict[str, BatchCreateMemoriesResponse] = {}
        server.answers |= {
            "CreateMemory": lambda request: CreateMemoryResponse(memory=self.store(request.parent, request)),
            "BatchCreateMemories": self.store_batch,
            "GetMemory": lambda request: GetMemoryResponse(memory=self.find(request.name)),
            "ListMemories": lambda _: ListMemoriesResponse(memories=self.memories),
            "UpdateMemory": lambda request: UpdateMemoryResponse(memory=request.memory),
            "DeleteMemory": self.delete,
            "GetSpace": lambda request: GetSpaceResponse(
                space=Space(name=request.name, memory_count=len(self.memories))
            ),
        }

    @property
    def contents(self) -> list[str]:
        return [memory.content for memory in self.memories]

    def store(self, parent: str, request: Any) -> Memory:
        memory = Memory()
        memory.CopyFrom(request.memory)
        memory.name = f"{parent}/memories/{request.memory_id or len(self.memories)}"
        self.memories.append(memory)
        return memory

    def store_batch(self, request: Any) -> BatchCreateMemoriesResponse:
        """Once for each request id."""
        if request.request_id not in self.answered:
            memories = [self.store(request.parent, item) for item in request.requests]
            self.answered[request.request_id] = BatchCreateMemoriesResponse(memories=memories)
        return self.answered[request.request_id]

    def delete(self, request: Any) -> DeleteMemoryResponse:
        self.memories.remove(self.find(request.name))
        return DeleteMemoryResponse()

    def find(self, name: str) -> Memory:
        return next(memory for memory in self.memories if memory.name == name)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quipu.wire.OPTIONS", QUICK_RETRIES)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    with fake_server() as server:
        monkeypatch.setenv("QUIPU_ADDRESS", server.address)
        yield Notebook(server)


@pytest.fixture
def quipu(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line; returns its exit code."""

    def run_with_input(*arguments: str, stdin: bytes = b"") -> int:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        return run(arguments)

    return run_with_input
