"""IngestMemories: a stream of items in, acknowledgements out."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress

from quipu.v1.memory_service_pb2 import IngestMemoriesRequest, IngestMemoriesResponse
from quipu_server.errors import Unavailable
from quipu_server.ingesting import Ingesting, Outcome
from quipu_server.rpc.convert.ingests import Offered, Offering, write_outcomes

MOST_WAITING = 512
"""Items of a call that are read ahead of those that are being stored."""

MOST_ITEMS = 200
MOST_BYTES = 512 * 1024
"""Of one transaction."""

LOOK_S = 0.2
"""How often a call that waits for items looks whether the server goes on."""


async def ingest(
    ingesting: Ingesting,
    requests: AsyncIterator[IngestMemoriesRequest],
    offering: Offering,
    goes_on: Callable[[], bool],
) -> AsyncGenerator[IngestMemoriesResponse, None]:
    """Acknowledge the items of a call as they are stored. Raises InvalidArgument, Unavailable."""
    await offering.begin(requests)
    waiting: asyncio.Queue[Offered | None] = asyncio.Queue(MOST_WAITING)
    reader = asyncio.create_task(_read(requests, offering, waiting))
    try:
        while part := await _next_part(waiting, reader, goes_on):
            items = [offered.item for offered in part if offered.item is not None]
            outcomes: dict[int, Outcome] = {}
            if items:
                outcomes |= await ingesting.store(offering.tenant, offering.space, items, later=offering.later)
            outcomes |= {offered.offset: offered.error for offered in part if offered.error is not None}
            yield write_outcomes(offering.space, [(offered.offset, outcomes[offered.offset]) for offered in part])
        await reader
    finally:
        reader.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(reader, return_exceptions=True)


async def _read(
    requests: AsyncIterator[IngestMemoriesRequest], offering: Offering, waiting: "asyncio.Queue[Offered | None]"
) -> None:
    """Take items as long as there is room for them; None marks the end, also when an error is it."""
    try:
        async for request in requests:
            await waiting.put(offering.read(request))
    finally:
        with suppress(asyncio.CancelledError):
            await waiting.put(None)


async def _next_part(
    waiting: "asyncio.Queue[Offered | None]", reader: "asyncio.Task[None]", goes_on: Callable[[], bool]
) -> list[Offered]:
    """What waits, as much as goes into one transaction; nothing at the end."""
    offered = await _first(waiting, goes_on)
    part: list[Offered] = []
    size = 0
    while offered is not None:
        part.append(offered)
        size += offered.size
        if len(part) == MOST_ITEMS or size >= MOST_BYTES or waiting.empty():
            return part
        offered = waiting.get_nowait()
    if part:
        waiting.put_nowait(None)  # what was before the end is stored first
        return part
    await reader
    return part


async def _first(waiting: "asyncio.Queue[Offered | None]", goes_on: Callable[[], bool]) -> Offered | None:
    while True:
        if not goes_on():
            raise Unavailable("the server is stopping; send what was not acknowledged again, under the same stream id")
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                return await waiting.get()
