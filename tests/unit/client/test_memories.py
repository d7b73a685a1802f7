"""Calls about memories: what is sent, what comes back, on both clients."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

import quipu
from quipu.v1.memory_pb2 import Memory, MemoryKind, MemoryRevision
from quipu.v1.memory_service_pb2 import (
    BatchCreateMemoriesResponse,
    BatchGetMemoriesResponse,
    CreateMemoryResponse,
    DeleteMemoryResponse,
    ListMemoriesResponse,
    ListMemoryRevisionsResponse,
    UpdateMemoryResponse,
)
from tests.unit.fake_server import FakeServer

NOON = datetime(2024, 5, 8, 12, 0, 0, 250_000, tzinfo=UTC)


def stored(request: Any) -> CreateMemoryResponse:
    memory = Memory()
    memory.CopyFrom(request.memory)
    memory.name = f"{request.parent}/memories/{request.memory_id or 'made'}"
    memory.revision = 7
    return CreateMemoryResponse(memory=memory)


def all_stored(request: Any) -> BatchCreateMemoriesResponse:
    memories = [stored(item).memory for item in request.requests]
    return BatchCreateMemoriesResponse(memories=memories, revision=7)


async def test_plain_values_go_there_and_back(server: FakeServer) -> None:
    server.answers["CreateMemory"] = stored
    fields: quipu.Fields = {
        "kind": "semantic",
        "role": "user",
        "speaker": "Ann",
        "session": "s1",
        "tags": ["tea"],
        "metadata": {"text": "x", "number": 1.5, "flag": True, "time": NOON, "list": ["a", 2.0, NOON]},
        "importance": 0.0,
        "event_time": NOON,
    }
    async with quipu.connect(server.address) as client:
        memory = await client.add("Ann likes tea", id="m1", space="a", **fields)
    assert quipu.from_memory(memory) == {
        "id": "m1",
        "name": "spaces/a/memories/m1",
        "content": "Ann likes tea",
        "revision": 7,
        **fields,
    }


async def test_a_memory_goes_to_the_space_of_the_client_with_a_request_id(server: FakeServer) -> None:
    server.answers["CreateMemory"] = stored
    async with quipu.connect(server.address, space="home") as client:
        await client.add("one")
        await client.add("two")
    assert {request.parent for request in server.requests} == {"spaces/home"}
    assert len({request.request_id for request in server.requests} - {""}) == 2


def test_the_sync_client_gives_results_instead_of_awaitables(server: FakeServer) -> None:
    server.answers["CreateMemory"] = stored
    with quipu.connect_sync(server.address) as client:
        assert client.add("Ann likes tea", id="m1").name == "spaces/default/memories/m1"


async def test_arrays_are_vectors(server: FakeServer) -> None:
    server.answers["CreateMemory"] = stored
    vector = np.array([0.5, -1.0, 2.0], np.float32)
    async with quipu.connect(server.address) as client:
        memory = await client.add("x", vector=vector)
        np.testing.assert_array_equal(quipu.to_array(memory.vector), vector)
        assert (await client.add("x", vector=[0.5, -1.0, 2.0])).vector == memory.vector


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"event_time": datetime(2024, 5, 8)}, "event_time: .* no time zone"),
        ({"kind": "fact"}, "kind: 'fact' is not one of episodic"),
        ({"tags": "tea"}, "tags: needs a list"),
        ({"metadata": {"a": {"b": 1}}}, "metadata: .* not dict"),
        ({"metadata": {"a": 2**53 + 1}}, "metadata: 9007199254740993 cannot be stored exactly"),
        ({"colour": "red"}, "'colour' is not a field"),
    ],
)
def test_values_that_cannot_be_sent_are_refused_with_the_field(fields: Any, message: str) -> None:
    with quipu.connect_sync("127.0.0.1:1") as client, pytest.raises((TypeError, ValueError), match=message):
        client.add("x", **fields)


async def test_many_memories_are_sent_in_batches(server: FakeServer) -> None:
    server.answers["BatchCreateMemories"] = all_stored
    drafts: list[str | quipu.Draft] = [{"content": f"{n}", "id": f"m{n}"} for n in range(150)]
    async with quipu.connect(server.address) as client:
        memories = await client.add_many([*drafts, "last"])
    assert [memory.content for memory in memories] == [*map(str, range(150)), "last"]
    assert [len(request.requests) for request in server.requests] == [100, 51]


def test_large_memories_make_smaller_batches(server: FakeServer) -> None:
    server.answers["BatchCreateMemories"] = all_stored
    with quipu.connect_sync(server.address) as client:
        client.add_many(["x" * (3 << 20)] * 5)
    assert [len(request.requests) for request in server.requests] == [2, 2, 1]


def test_the_same_request_id_gives_the_same_batches(server: FakeServer) -> None:
    server.answers["BatchCreateMemories"] = all_stored
    with quipu.connect_sync(server.address) as client:
        for _ in range(2):
            client.add_many(map(str, range(150)), request_id="6e8f3d0a-6d0b-4d7e-9d38-3a2f6e1f2b10")
    first, second, *again = [request.request_id for request in server.requests]
    assert first == "6e8f3d0a-6d0b-4d7e-9d38-3a2f6e1f2b10" != second
    assert again == [first, second]


def test_a_failing_batch_says_what_was_stored(server: FakeServer) -> None:
    def fail_the_second(request: Any) -> BatchCreateMemoriesResponse:
        if len(server.requests) == 2:
            server.context.abort(quipu.InvalidArgument.code, "bad")
        return all_stored(request)

    server.answers["BatchCreateMemories"] = fail_the_second
    with quipu.connect_sync(server.address) as client, pytest.raises(quipu.InvalidArgument) as raised:
        client.add_many(map(str, range(150)))
    assert raised.value.__notes__ == ["the first 100 memories were stored, those from there on were not"]


async def test_get_many_leaves_out_what_is_missing(server: FakeServer) -> None:
    server.answers["BatchGetMemories"] = lambda request: BatchGetMemoriesResponse(
        memories=[Memory(name=name) for name in request.names if not name.endswith("b")]
    )
    async with quipu.connect(server.address) as client:
        found = await client.get_many(["a", "b", "spaces/default/memories/c"])
    assert {key: memory.name for key, memory in found.items()} == {
        "a": "spaces/default/memories/a",
        "spaces/default/memories/c": "spaces/default/memories/c",
    }


def pages(request: Any) -> ListMemoriesResponse:
    start = int(request.page_token or 0)
    memories = [Memory(content=f"{n}") for n in range(start, start + 2)]
    return ListMemoriesResponse(memories=memories, next_page_token="" if start == 4 else f"{start + 2}")


async def test_listing_follows_the_pages(server: FakeServer) -> None:
    server.answers["ListMemories"] = pages
    async with quipu.connect(server.address) as client:
        listed = client.list(filter='kind = "semantic"', order_by="event_time", descending=True)
        assert [memory.content async for memory in listed] == ["0", "1", "2", "3", "4", "5"]
    assert {(request.filter, request.order_by) for request in server.requests} == {
        ('kind = "semantic"', "event_time desc")
    }


def test_listing_fetches_only_what_is_read(server: FakeServer) -> None:
    server.answers["ListMemories"] = pages
    with quipu.connect_sync(server.address) as client:
        listed = client.list()
        assert [next(listed).content, next(listed).content] == ["0", "1"]
        assert len(server.requests) == 1
        assert [memory.content for memory in listed.all()] == ["2", "3", "4", "5"]


async def test_an_update_names_the_fields_it_was_given(server: FakeServer) -> None:
    server.answers["UpdateMemory"] = lambda request: UpdateMemoryResponse(memory=request.memory)
    async with quipu.connect(server.address) as client:
        await client.update("m1", content="new", kind="profile", speaker=None, etag="e")
    (request,) = server.requests
    assert set(request.update_mask.paths) == {"content", "kind", "speaker"}
    expected = Memory(name="spaces/default/memories/m1", content="new", kind=MemoryKind.MEMORY_KIND_PROFILE, etag="e")
    assert request.memory == expected


def test_an_update_can_change_single_keys_of_metadata(server: FakeServer) -> None:
    server.answers["UpdateMemory"] = lambda request: UpdateMemoryResponse(memory=request.memory)
    with quipu.connect_sync(server.address) as client:
        memory = client.update("m1", metadata={"new": 1, "old": None}, merge_metadata=True)
    assert set(server.requests[0].update_mask.paths) == {"metadata.new", "metadata.old"}
    assert quipu.metadata(memory) == {"new": 1.0}


def test_a_memory_can_stand_for_its_name(server: FakeServer) -> None:
    server.answers["DeleteMemory"] = lambda _: DeleteMemoryResponse(revision=9)
    with quipu.connect_sync(server.address) as client:
        assert client.delete(Memory(name="spaces/a/memories/b"), allow_missing=True) == 9
    assert server.requests[0].name == "spaces/a/memories/b"


def test_history_gives_revisions(server: FakeServer) -> None:
    server.answers["ListMemoryRevisions"] = lambda _: ListMemoryRevisionsResponse(
        revisions=[MemoryRevision(revision=2), MemoryRevision(revision=1)]
    )
    with quipu.connect_sync(server.address) as client:
        assert [entry.revision for entry in client.history("m1")] == [2, 1]
