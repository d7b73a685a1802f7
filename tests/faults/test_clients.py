"""Clients that are slow, gone, or too many."""

import asyncio
from contextlib import suppress
from uuid import uuid4

import pytest
from grpc import aio

from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import (
    BatchCreateMemoriesRequest,
    CreateMemoryRequest,
    IngestItem,
    IngestMemoriesRequest,
    IngestMemoriesResponse,
    IngestStart,
    WatchMemoriesRequest,
)
from quipu.v1.search_service_pb2 import SearchRequest
from quipu_server.app import Running
from tests.faults.conftest import Site
from tests.faults.gate import Gate
from tests.faults.ledger import Ledger, traffic
from tests.integration.api import Api, read_refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")

LONG = "The lamp of the ship was lit. " * 900
"""More than the windows of gRPC hold, in a few answers."""


async def test_a_reader_that_stops_reading(api: Api, ledger: Ledger, space: str) -> None:
    """Ten clients ask for much and do not read it: others are answered, and a late reader still gets all of it."""
    other = f"{space}-long"
    await api.fill(other, {f"m{i}": Memory(content=LONG) for i in range(4)})
    slow = [api.searches.Search(SearchRequest(spaces=[other], text="lamp", k=50)) for _ in range(9)]
    watch = api.memories.WatchMemories(WatchMemoriesRequest(spaces=[other], after_revisions={other: 0}))
    async with traffic(ledger):
        await asyncio.sleep(1.5)
    assert not ledger.refusals
    for call in slow:
        assert sum([len(answer.hits) async for answer in call]) == 4
    watch.cancel()


async def test_a_client_reset_while_it_ingests(api: Api, server: Running, ledger: Ledger, space: str) -> None:
    """A client loses its connection three times in the middle of a stream: sent again, each item is there once."""
    gate = Gate(lambda: asyncio.open_connection("127.0.0.1", server.port))
    port, stream_id = await gate.open(), str(uuid4())
    ledger.sent = {f"m{i}": f"The lamp of ship {i} was lit" for i in range(400)}
    options = [("grpc.use_local_subchannel_pool", 1)]
    try:
        for attempt in range(4):
            async with aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
                call = Api.over(channel).memories.IngestMemories()
                with suppress(aio.AioRpcError, asyncio.CancelledError):
                    await ingest(call, ledger, stream_id, gate if attempt < 3 else None)
    finally:
        await gate.close()
    assert ledger.acknowledged == ledger.sent.keys()
    await ledger.check()


async def ingest(
    call: "aio.StreamStreamCall[IngestMemoriesRequest, IngestMemoriesResponse]",
    ledger: Ledger,
    stream_id: str,
    gate: Gate | None,
) -> None:
    """Send all that was not acknowledged; with a gate, cut the connection after the first acknowledgement."""
    left = [i for i in range(len(ledger.sent)) if f"m{i}" not in ledger.acknowledged]

    async def send() -> None:
        await call.write(IngestMemoriesRequest(start=IngestStart(parent=ledger.space, stream_id=stream_id)))
        for i in left:
            memory = Memory(content=ledger.sent[f"m{i}"])
            await call.write(IngestMemoriesRequest(item=IngestItem(offset=i, memory_id=f"m{i}", memory=memory)))
        await call.done_writing()

    sending = asyncio.create_task(send())
    try:
        async for response in call:
            ledger.acknowledged |= {f"m{a.offset}" for a in response.acknowledgements if a.HasField("stored")}
            if gate is not None:
                gate.cut()
                gate = None
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def test_clients_that_say_half_of_something(server: Running, ledger: Ledger) -> None:
    """200 connections are opened and left half way, silent: others are answered."""
    ends = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(200)]
    for number, (_, writer) in enumerate(ends):
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[: number % 24])
    async with traffic(ledger):
        await asyncio.sleep(0.5)
    assert not ledger.refusals
    for _, writer in ends:
        writer.transport.abort()


async def test_calls_given_up(api: Api, ledger: Ledger, space: str) -> None:
    """500 searches are given up at any moment: others are answered, and nothing stays behind."""
    async with traffic(ledger):
        for number in range(500):
            call = api.searches.Search(SearchRequest(spaces=[space], text=f"lamp {number}", k=10))
            await asyncio.sleep(0.002 * (number % 3))
            call.cancel()
    assert not ledger.refusals


async def test_too_many_calls(site: Site, space: str) -> None:
    """200 writes at once on a server that takes 8 calls: the rest is told to come back, and stored when it does."""
    async with site.serving(most_calls=8, hot_bytes=0) as api:
        ledger = Ledger(api, space)
        answers = await asyncio.gather(*(ledger.write() for _ in range(200)))
        assert 0 < sum(answers) < 200
        assert {r.reason for r in ledger.refusals} == {"OVERLOADED"}
        assert await ledger.write()
        await ledger.check()


async def test_too_many_tokens(site: Site, space: str) -> None:
    """60 batches at once, more tokens than may wait: those without room are refused whole, and all is well after."""
    async with site.serving(embedding_queue_tokens=2_048, hot_bytes=0) as api:
        ledger = Ledger(api, space)
        await ledger.write()
        await asyncio.gather(*(write_batch(ledger, batch) for batch in range(60)))
        assert ledger.acknowledged > {"m0"}
        assert {r.reason for r in ledger.refusals} == {"OVERLOADED"}
        assert await ledger.search()
        await ledger.check()


async def write_batch(ledger: Ledger, batch: int) -> None:
    contents = {f"b{batch}x{i}": f"The lamp of ship {i} of fleet {batch} was lit " * 6 for i in range(5)}
    ledger.sent |= contents
    requests = [CreateMemoryRequest(memory_id=key, memory=Memory(content=text)) for key, text in contents.items()]
    try:
        await ledger.api.memories.BatchCreateMemories(
            BatchCreateMemoriesRequest(parent=ledger.space, requests=requests), timeout=30
        )
    except aio.AioRpcError as error:
        ledger.refusals.append(read_refusal(error))
    else:
        ledger.acknowledged |= contents.keys()
