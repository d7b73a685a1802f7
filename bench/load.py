"""Clients that cost little: they send and receive bytes, because they share the processors with the server."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from statistics import median
from typing import Any

import grpc

Step = Callable[[], Awaitable[object]]
"""One exchange with the server."""

# Without it all channels of a process would share one connection.
OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
EMPTY = "/grpc.health.v1.Health/Check"
SEARCH = "/quipu.v1.SearchService/Search"
CREATE_MANY = "/quipu.v1.MemoryService/BatchCreateMemories"


class RawClient:
    """One client with a connection of its own."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.aio.insecure_channel(address, options=OPTIONS)
        self._empty: Any = self._channel.unary_unary(EMPTY)
        self._search: Any = self._channel.unary_stream(SEARCH)
        self._create_many: Any = self._channel.unary_unary(CREATE_MANY)

    async def ask_nothing(self) -> None:
        """An empty exchange: the check of the server's health."""
        await self._empty(b"")

    async def search(self, request: bytes) -> Sequence[bytes]:
        """The messages that answer a search."""
        return [message async for message in self._search(request)]

    async def create_many(self, request: bytes) -> None:
        """Store a batch of memories."""
        await self._create_many(request)

    async def close(self) -> None:
        await self._channel.close()


@asynccontextmanager
async def raw_clients(address: str, count: int) -> AsyncIterator[Sequence[RawClient]]:
    """Some clients, each connected."""
    clients = [RawClient(address) for _ in range(count)]
    try:
        await asyncio.gather(*(client.ask_nothing() for client in clients))
        yield clients
    finally:
        await asyncio.gather(*(client.close() for client in clients))


async def median_ms(step: Step, count: int) -> float:
    """The median time of a step, one after the other, in milliseconds."""
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        await step()
        taken.append(time.perf_counter() - started)
    return 1000 * median(taken)


async def steps_a_second(steps: Sequence[Step], seconds: float) -> float:
    """How often a second all steps together are made, each again and again beside the others."""
    ends = time.perf_counter() + seconds

    async def repeat(step: Step) -> int:
        count = 0
        while time.perf_counter() < ends:
            await step()
            count += 1
        return count

    started = time.perf_counter()
    counts = await asyncio.gather(*map(repeat, steps))
    return sum(counts) / (time.perf_counter() - started)


async def store_all(clients: Sequence[RawClient], batches: Sequence[bytes]) -> float:
    """Store all batches, each client one after the other; the seconds it took."""
    waiting = iter(batches)

    async def store(client: RawClient) -> None:
        for batch in waiting:
            await client.create_many(batch)

    started = time.perf_counter()
    await asyncio.gather(*map(store, clients))
    return time.perf_counter() - started
