"""Search: hits, summary, consistency, on both clients."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

import quipu
from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import DeleteMemoryResponse
from quipu.v1.search_service_pb2 import SearchMode, SearchResponse
from tests.unit.fake_server import FakeServer


def hit(content: str) -> quipu.Hit:
    return quipu.Hit(memory=Memory(content=content), score=0.5)


def two_slices(request: Any) -> Iterator[SearchResponse]:
    yield SearchResponse(hits=[hit("a"), hit("b")])
    yield SearchResponse(hits=[hit("c")], summary=quipu.SearchSummary(hit_count=3))


def cut_short(request: Any) -> Iterator[SearchResponse]:
    yield SearchResponse(hits=[hit("a")])


async def test_hits_come_in_order_and_then_the_summary(server: FakeServer) -> None:
    server.answers["Search"] = two_slices
    async with quipu.connect(server.address) as client:
        hits = client.search("tea")
        assert [found.memory.content async for found in hits] == ["a", "b", "c"]
        assert hits.summary.hit_count == 3


def test_the_sync_client_iterates_too(server: FakeServer) -> None:
    server.answers["Search"] = two_slices
    with quipu.connect_sync(server.address) as client:
        hits = client.search("tea")
        assert next(hits).memory.content == "a"
        with pytest.raises(RuntimeError, match="read all hits first"):
            _ = hits.summary
        assert [found.memory.content for found in hits.all()] == ["b", "c"]
        assert hits.summary.hit_count == 3


async def test_an_answer_without_summary_was_cut_short(server: FakeServer) -> None:
    server.answers["Search"] = cut_short
    async with quipu.connect(server.address) as client:
        hits = client.search("tea")
        assert (await anext(hits)).memory.content == "a"
        with pytest.raises(quipu.DataLoss):
            await anext(hits)


def test_everything_asked_for_is_sent(server: FakeServer) -> None:
    server.answers["Search"] = two_slices
    with quipu.connect_sync(server.address) as client:
        client.search(
            "tea",
            space=["a", "b"],
            mode="lexical",
            k=5,
            filter='session = "s1"',
            min_relevance=0.25,
            ranking={"recency": 0.0, "recency_half_life": timedelta(days=2)},
            explain=True,
        ).all()
    (request,) = server.requests
    assert list(request.spaces) == ["spaces/a", "spaces/b"]
    assert (request.text, request.mode, request.k) == ("tea", SearchMode.SEARCH_MODE_LEXICAL, 5)
    assert (request.filter, request.min_relevance, request.explain) == ('session = "s1"', 0.25, True)
    assert request.ranking.HasField("recency")
    assert not request.ranking.HasField("dense")
    assert request.ranking.recency_half_life.ToTimedelta() == timedelta(days=2)
    assert request.consistency.HasField("strong")


def test_a_search_by_vector_or_example(server: FakeServer) -> None:
    server.answers["Search"] = two_slices
    with quipu.connect_sync(server.address) as client:
        client.search(vector=[1.0, 0.0]).all()
        client.search(example="m1", space="a").all()
    by_vector, by_example = server.requests
    assert list(by_vector.vector.values) == [1.0, 0.0]
    assert by_example.example == "spaces/a/memories/m1"


@pytest.mark.parametrize("queries", [{}, {"text": "tea", "vector": [1.0]}])
def test_a_search_for_nothing_or_for_two_things_is_refused(queries: Any) -> None:
    with quipu.connect_sync("127.0.0.1:1") as client, pytest.raises(ValueError, match="exactly one of"):
        client.search(**queries)


def test_a_session_sees_its_own_writes(server: FakeServer) -> None:
    server.answers["Search"] = two_slices
    server.answers["DeleteMemory"] = lambda _: DeleteMemoryResponse(revision=9)
    with quipu.connect_sync(server.address) as client:
        client.delete("m1", space="a")
        client.search("tea", space=["a", "b"], consistency="session").all()
    assert dict(server.requests[-1].consistency.at_least.revisions) == {"spaces/a": 9, "spaces/b": 0}


def test_consistency_by_revision_or_age(server: FakeServer) -> None:
    server.answers["Search"] = two_slices
    with quipu.connect_sync(server.address) as client:
        client.search("tea", consistency={"a": 4}).all()
        client.search("tea", consistency=timedelta(seconds=2)).all()
        client.search("tea", space=["a", "b"], consistency=quipu.AsOf(3)).all()
        client.search("tea", consistency=quipu.AsOf({"a": 2})).all()
    by_revision, by_age, of_both, of_one = [request.consistency for request in server.requests]
    assert dict(by_revision.at_least.revisions) == {"spaces/a": 4}
    assert by_age.max_staleness.ToTimedelta() == timedelta(seconds=2)
    assert dict(of_both.as_of.revisions) == {"spaces/a": 3, "spaces/b": 3}
    assert dict(of_one.as_of.revisions) == {"spaces/a": 2}


@pytest.fixture
def cancelled(server: FakeServer) -> Event:
    """Set when a search that never ends by itself was cancelled."""
    event = Event()

    def answer(request: Any) -> Iterator[SearchResponse]:
        context = server.context
        context.add_callback(event.set)
        while context.is_active():
            yield SearchResponse(hits=[hit("a")])

    server.answers["Search"] = answer
    return event


async def test_leaving_the_loop_cancels_the_search(server: FakeServer, cancelled: Event) -> None:
    async with quipu.connect(server.address) as client:
        async for _ in client.search("tea"):
            break
        assert await asyncio.to_thread(cancelled.wait, 10)


def test_leaving_a_sync_loop_cancels_the_search(server: FakeServer, cancelled: Event) -> None:
    with quipu.connect_sync(server.address) as client:
        for _ in client.search("tea"):
            break
        assert cancelled.wait(10)


async def test_closing_the_hits_cancels_the_search(server: FakeServer, cancelled: Event) -> None:
    async with quipu.connect(server.address) as client:
        hits = client.search("tea")
        await anext(hits)
        await hits.close()
        assert await asyncio.to_thread(cancelled.wait, 10)
