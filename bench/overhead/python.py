"""Measures the Python clients against their stubs: `async` or `sync`. Speaks with bench.overhead as every side does."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import grpc

import quipu
from quipu.v1.embedding_service_pb2 import ListModelsRequest
from quipu.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from quipu.wire import OPTIONS

if TYPE_CHECKING:
    from quipu.v1.embedding_service_pb2_grpc import EmbeddingServiceAsyncStub

ADDRESS = os.environ["QUIPU_ADDRESS"]
CALLS = int(os.environ["QUIPU_CALLS"])


def rounds() -> Iterator[tuple[list[int], list[int]]]:
    """Wait for the line that begins each round; report the nanoseconds that were put into the two lists."""
    for _ in sys.stdin:
        facade, stub = list[int](), list[int]()
        yield facade, stub
        print(json.dumps({"facade": facade, "stub": stub}), flush=True)


def measure_sync() -> None:
    with quipu.connect_sync(ADDRESS) as client, grpc.insecure_channel(ADDRESS, options=OPTIONS) as channel:
        stub = EmbeddingServiceStub(channel)

        def ask_stub() -> object:
            return stub.ListModels(ListModelsRequest()).models

        for facade, bare in rounds():
            turns = [(client.models, facade), (ask_stub, bare)]
            for _ in range(CALLS):
                for ask, taken in turns:
                    start = time.perf_counter_ns()
                    ask()
                    taken.append(time.perf_counter_ns() - start)
                turns.reverse()


async def measure_async() -> None:
    async with quipu.connect(ADDRESS) as client, grpc.aio.insecure_channel(ADDRESS, options=OPTIONS) as channel:
        stub: EmbeddingServiceAsyncStub = EmbeddingServiceStub(channel)

        async def ask_stub() -> object:
            return (await stub.ListModels(ListModelsRequest())).models

        for facade, bare in rounds():
            turns = [(client.models, facade), (ask_stub, bare)]
            for _ in range(CALLS):
                for ask, taken in turns:
                    start = time.perf_counter_ns()
                    await ask()
                    taken.append(time.perf_counter_ns() - start)
                turns.reverse()


if __name__ == "__main__":
    if sys.argv[1:] == ["sync"]:
        measure_sync()
    else:
        asyncio.run(measure_async())
