"""How fresh reads are, on the replica that wrote and on another."""

import asyncio

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from quipu.v1.consistency_pb2 import AtLeastRead, ReadConsistency, StrongRead
from quipu.v1.memory_service_pb2 import DeleteMemoryRequest
from tests.integration.api import Api, refusal

pytestmark = pytest.mark.asyncio(loop_scope="session")


def at_least(space: str, revision: int) -> ReadConsistency:
    return ReadConsistency(at_least=AtLeastRead(revisions={space: revision}))


def staleness(seconds: int) -> ReadConsistency:
    return ReadConsistency(max_staleness=Duration(seconds=seconds))


async def test_a_search_sees_every_write_before_it_on_every_replica(api: Api, replica: Api, space: str) -> None:
    for i in range(10):
        writer, reader = (api, replica) if i % 2 else (replica, api)
        await writer.create(space, f"event number {i}", f"m{i}")
        for door in (writer, reader):
            found = await door.search(space, text=f"event number {i}", k=50)
            assert sorted(found.ids) == [f"m{j}" for j in range(i + 1)]
            assert found.summary.answers[0].revision == i + 1


async def test_a_deletion_is_seen_on_every_replica(api: Api, replica: Api, space: str) -> None:
    name = (await api.create(space, "soon gone")).name
    await api.search(space, text="gone")
    await replica.memories.DeleteMemory(DeleteMemoryRequest(name=name))
    assert not (await api.search(space, text="gone", consistency=ReadConsistency(strong=StrongRead()))).hits


async def test_a_token_makes_a_replica_catch_up(api: Api, replica: Api, space: str) -> None:
    await api.create(space, "first")
    await replica.search(space, text="first")
    written = await api.create(space, "second", "m2")
    found = await replica.search(space, text="second", consistency=at_least(space, written.revision))
    assert "m2" in found.ids
    assert found.summary.answers[0].revision >= written.revision


async def test_a_token_beyond_the_head_is_refused(api: Api, space: str) -> None:
    await api.create(space, "first")
    refused = await refusal(api.search(space, text="x", consistency=at_least(space, 7)))
    assert (refused.code, refused.reason) == (grpc.StatusCode.OUT_OF_RANGE, "REVISION_OUT_OF_RANGE")
    assert refused.metadata == {"name": space, "head": "1"}


async def test_a_stale_read_never_shows_what_is_deleted(api: Api, replica: Api, space: str) -> None:
    name = (await api.create(space, "soon gone", "m")).name
    await api.search(space, text="gone")
    await replica.memories.DeleteMemory(DeleteMemoryRequest(name=name))
    assert not (await api.search(space, text="gone", consistency=staleness(3600))).hits


async def test_a_stale_read_tells_its_revision(api: Api, replica: Api, space: str) -> None:
    await api.create(space, "first", "m1")
    await api.search(space, text="first")
    await replica.create(space, "second", "m2")
    found = await api.search(space, text="second", consistency=staleness(3600))
    assert found.summary.answers[0].revision in (1, 2)
    assert sorted(found.ids) == ["m1", "m2"][: found.summary.answers[0].revision]
    assert sorted((await api.search(space, text="second", consistency=staleness(0))).ids) == ["m1", "m2"]


async def test_a_staleness_out_of_bounds_is_refused(api: Api, space: str) -> None:
    await api.create(space, "x")
    for seconds in (-1, 3601):
        refused = await refusal(api.search(space, text="x", consistency=staleness(seconds)))
        assert refused.fields == ("consistency.max_staleness",)


async def test_searches_beside_writes_see_what_was_acknowledged(api: Api, replica: Api, space: str) -> None:
    await api.create(space, "event", "m0")
    acknowledged = 1

    async def write() -> None:
        nonlocal acknowledged
        for i in range(1, 30):
            await replica.create(space, "event", f"m{i}")
            acknowledged = i + 1

    writer = asyncio.create_task(write())
    while not writer.done():
        before = acknowledged
        found = await api.search(space, text="event", k=100)
        assert len(found.ids) == len(set(found.ids)) >= before
    await writer
