"""Streams of memories: each item is stored once or refused alone, also when streams break off."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from random import Random
from uuid import uuid4

import grpc
import pytest

from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import (
    IngestAcknowledgement,
    IngestItem,
    IngestMemoriesRequest,
    IngestMemoriesResponse,
    IngestStart,
    IngestState,
    ListMemoriesRequest,
)
from quipu.v1.value_pb2 import Vector
from tests.integration.api import Api, refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")


def start(space: str, stream_id: str = "") -> IngestMemoriesRequest:
    return IngestMemoriesRequest(start=IngestStart(parent=space, stream_id=stream_id or str(uuid4())))


def item(offset: int, content: str, memory_id: str = "", **fields: object) -> IngestMemoriesRequest:
    memory = Memory(content=content, **fields)  # type: ignore[arg-type]
    return IngestMemoriesRequest(item=IngestItem(offset=offset, memory_id=memory_id, memory=memory))


async def ingest(api: Api, *requests: IngestMemoriesRequest) -> Sequence[IngestAcknowledgement]:
    """What became of the items, once all are sent."""
    responses = [response async for response in api.memories.IngestMemories(iter(requests))]
    return [acknowledgement for response in responses for acknowledgement in response.acknowledgements]


async def contents(api: Api, space: str) -> list[str]:
    page = await api.memories.ListMemories(ListMemoriesRequest(parent=space, page_size=1000))
    return sorted(memory.content for memory in page.memories)


async def test_items_are_stored_in_order_and_found(api: Api, space: str) -> None:
    acknowledged = await ingest(api, start(space), *(item(i, f"note {i} on tea") for i in range(450)))
    assert [a.offset for a in acknowledged] == list(range(450))
    assert [a.stored.revision for a in acknowledged] == list(range(1, 451))
    assert {a.stored.state for a in acknowledged} == {IngestState.INGEST_STATE_SEARCHABLE}
    found = await api.search(space, text="note 449", k=1)
    assert found.hits[0].memory.name == acknowledged[449].stored.name


async def test_a_broken_item_is_refused_alone(api: Api, space: str) -> None:
    await api.create(space, "taken", "m")
    wrong = Vector(values=[1.0, 2.0])
    acknowledged = await ingest(
        api,
        start(space),
        item(0, "a"),
        item(1, ""),
        item(3, "b", "m"),
        item(4, "c", "n"),
        item(5, "d", "n"),
        item(7, "e", vector=wrong),
        item(8, "f"),
    )
    assert {a.offset: a.refused.reason for a in acknowledged} == {
        0: "",
        1: "INVALID_FIELD",
        3: "MEMORY_EXISTS",
        4: "",
        5: "MEMORY_EXISTS",
        7: "MODEL_MISMATCH",
        8: "",
    }
    refused = acknowledged[1].refused
    assert (refused.code, refused.field) == (grpc.StatusCode.INVALID_ARGUMENT.value[0], "memory.content")
    assert await contents(api, space) == ["a", "c", "f", "taken"]


async def test_what_is_sent_again_is_stored_once_on_any_server(api: Api, replica: Api, space: str) -> None:
    stream_id = str(uuid4())
    first = await ingest(api, start(space, stream_id), item(0, "a"), item(1, ""), item(2, "b"))
    second = await ingest(replica, start(space, stream_id), *(item(i, text) for i, text in enumerate("amb")))
    assert [a.stored for a in second][::2] == [a.stored for a in first][::2]
    assert await contents(api, space) == ["a", "b", "m"]


async def test_another_item_at_the_same_place_is_refused(api: Api, space: str) -> None:
    stream_id = str(uuid4())
    await ingest(api, start(space, stream_id), item(0, "a"))
    (acknowledged,) = await ingest(api, start(space, stream_id), item(0, "b"))
    assert acknowledged.refused.reason == "REQUEST_ID_REUSED"
    assert await contents(api, space) == ["a"]


async def test_the_same_stream_twice_at_once_stores_once(api: Api, replica: Api, space: str) -> None:
    requests = [start(space), *(item(i, f"note {i}") for i in range(300))]
    both = await asyncio.gather(ingest(api, *requests), ingest(replica, *requests))
    assert list(both[0]) == list(both[1])
    assert len(await contents(api, space)) == 300


async def test_a_stream_that_breaks_off_again_and_again_is_stored_once(api: Api, replica: Api, space: str) -> None:
    stream_id, random, done, count = str(uuid4()), Random(5), dict[int, IngestAcknowledgement](), 600
    breaks = 0
    while len(done) < count:
        left = [i for i in range(count) if i not in done]
        server = random.choice([api, replica])
        requests = slowly([start(space, stream_id), *(item(i, f"note {i}") for i in left)])
        call = server.memories.IngestMemories(requests)
        patience = random.uniform(0.02, 0.3)
        try:
            async with asyncio.timeout(patience):
                async for response in call:
                    done |= {a.offset: a for a in response.acknowledgements}
        except TimeoutError:
            breaks += 1
        finally:
            call.cancel()
    assert breaks > 3
    assert await contents(api, space) == sorted(f"note {i}" for i in range(count))


async def slowly(requests: Iterable[IngestMemoriesRequest]) -> AsyncIterator[IngestMemoriesRequest]:
    for request in requests:
        yield request
        await asyncio.sleep(0.0005)


@pytest.mark.parametrize(
    ("requests", "field"),
    [
        ([], "start"),
        ([item(0, "a")], "start"),
        ([IngestMemoriesRequest()], "start"),
        ([start("a")], "start.parent"),
        ([start("spaces/a", "x")], "start.stream_id"),
        ([start("spaces/ingest"), start("spaces/ingest")], "item"),
        ([start("spaces/ingest"), item(-1, "a")], "item.offset"),
        ([start("spaces/ingest"), item(0, "a"), item(0, "b")], "item.offset"),
    ],
)
async def test_what_makes_no_sense_ends_the_call(api: Api, requests: list[IngestMemoriesRequest], field: str) -> None:
    assert (await refusal(ingest(api, *requests))).fields == (field,)


async def test_what_came_before_an_error_is_stored(api: Api, space: str) -> None:
    await refusal(ingest(api, start(space), item(0, "a"), item(1, "b"), item(1, "c")))
    assert await contents(api, space) == ["a", "b"]


async def test_acknowledgements_come_while_the_caller_goes_on(api: Api, space: str) -> None:
    call = api.memories.IngestMemories()
    await call.write(start(space))
    for offset in range(3):
        await call.write(item(offset, f"note {offset}"))
        response = await call.read()
        assert isinstance(response, IngestMemoriesResponse)
        assert [a.offset for a in response.acknowledgements] == [offset]
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
