"""Writers and searches on several servers over one PostgreSQL, all of it recorded."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from grpc import aio

from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import CreateMemoryRequest, DeleteMemoryRequest, GetMemoryRequest, UpdateMemoryRequest
from quipu.v1.search_service_pb2 import SearchMode
from tests.faults.history import Change, History, Sight
from tests.integration.api import Api

SPACES = ("spaces/a", "spaces/b")
WRITERS, SEARCHERS, MEMORIES_A_WRITER = 4, 4, 8
TIMEOUT_S = 10.0
MODES = (SearchMode.SEARCH_MODE_HYBRID, SearchMode.SEARCH_MODE_LEXICAL, SearchMode.SEARCH_MODE_DENSE)
DOWN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)
"""What a server may say, or gRPC instead of it, while it or the database is down."""


@dataclass(slots=True)
class Traffic:
    """Changes and searches until it is told to stop. failures: those that say more than that something is down."""

    servers: Sequence[Api]
    random: Random
    history: History = field(default_factory=History)
    is_over: bool = False
    broken_off: int = 0
    answered_at: dict[int, float] = field(default_factory=dict)
    """When each server answered last."""

    async def run(self) -> None:
        """Until `is_over`."""
        writers = [self._write(f"m{number}") for number in range(WRITERS)]
        await asyncio.gather(*writers, *(self._search() for _ in range(SEARCHERS)))

    async def _write(self, prefix: str) -> None:
        """Change some memories, each in turn, as nobody else does."""
        versions = 0
        while not self.is_over:
            memory_id = f"{prefix}x{self.random.randrange(MEMORIES_A_WRITER)}"
            versions += 1
            await self._change(self._name(memory_id), memory_id, f"{memory_id} has version {versions}")

    async def _change(self, name: str, memory_id: str, content: str) -> None:
        exists = await self._until_answered(lambda api: self._exists(api, name))
        deletes = exists and self.random.random() < 0.3
        change = Change(None if deletes else content, time.monotonic())
        self.history.changes[memory_id].append(change)
        call = delete if deletes else update if exists else create
        server = self._any_server()
        try:
            await call(self.servers[server], name, content)
        except aio.AioRpcError as error:
            self._broke_off(error)
        else:
            change.ended = self.answered_at[server] = time.monotonic()

    async def _search(self) -> None:
        while not self.is_over:
            prefix, place = self.random.randrange(WRITERS), self.random.randrange(MEMORIES_A_WRITER)
            memory_id = f"m{prefix}x{place}"
            await self._look(memory_id, self._name(memory_id), self.random.choice(MODES), self._any_server())

    async def _look(self, memory_id: str, name: str, mode: "SearchMode.ValueType", server: int) -> None:
        space, began = name.partition("/memories/")[0], time.monotonic()
        try:
            found = await self.servers[server].search(
                space, text=memory_id, mode=mode, filter=f'id = "{memory_id}"', timeout=TIMEOUT_S
            )
        except aio.AioRpcError as error:
            self._broke_off(error)
            return
        contents = [hit.memory.content for hit in found.hits]
        assert len(contents) <= 1
        ended = self.answered_at[server] = time.monotonic()
        self.history.sights[memory_id].append(
            Sight(contents[0] if contents else None, began, ended, f"{server}, {mode}")
        )

    async def _until_answered(self, call: Callable[[Api], Awaitable[bool]]) -> bool:
        while True:
            try:
                return await call(self.servers[self._any_server()])
            except aio.AioRpcError as error:
                self._broke_off(error)

    async def _exists(self, api: Api, name: str) -> bool:
        try:
            await api.memories.GetMemory(GetMemoryRequest(name=name), timeout=TIMEOUT_S)
        except aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return False
            raise
        return True

    def _any_server(self) -> int:
        return self.random.randrange(len(self.servers))

    def _name(self, memory_id: str) -> str:
        """The name of a memory; always in the same space."""
        return f"{SPACES[sum(memory_id.encode()) % len(SPACES)]}/memories/{memory_id}"

    def _broke_off(self, error: aio.AioRpcError) -> None:
        if error.code() not in DOWN:
            raise error
        self.broken_off += 1


async def create(api: Api, name: str, content: str) -> None:
    space, _, memory_id = name.partition("/memories/")
    request = CreateMemoryRequest(parent=space, memory_id=memory_id, memory=Memory(content=content))
    await api.memories.CreateMemory(request, timeout=TIMEOUT_S)


async def update(api: Api, name: str, content: str) -> None:
    request = UpdateMemoryRequest(memory=Memory(name=name, content=content), update_mask=FieldMask(paths=["content"]))
    await api.memories.UpdateMemory(request, timeout=TIMEOUT_S)


async def delete(api: Api, name: str, _: str) -> None:
    await api.memories.DeleteMemory(DeleteMemoryRequest(name=name), timeout=TIMEOUT_S)
