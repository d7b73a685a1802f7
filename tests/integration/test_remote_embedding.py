"""Models behind endpoints that fail in every way."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import numpy as np
import pytest
from grpc import aio

from quipu.v1.embedding_service_pb2 import CountTokensRequest, ListModelsRequest
from quipu_server.app import running
from quipu_server.config import EmbedderResource, Settings
from quipu_server.domain import Purpose, TextToEmbed, Vector
from quipu_server.embedding import SHIPPED, RemoteEmbedder
from quipu_server.embedding.endpoints import read_wish
from quipu_server.embedding.remote import describe
from quipu_server.errors import InvalidArgument, Overloaded, StartupError, Unavailable
from quipu_server.ports import Lane
from tests.integration.api import Api, refusal
from tests.integration.embedding_endpoint import DIMENSION, KEY, POISON, FakeEndpoint, embedding_endpoint, vector_of
from tests.integration.written_logs import written_logs

pytestmark = pytest.mark.asyncio(loop_scope="session")

FAILURES = [
    "500", "503", "429", "401", "403", "404", "302", "hang", "close", "not JSON", "cut", "null",
    "wrong dimension", "NaN", "zeros", "words", "short list", "twice",
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("EMBEDDING_KEY", KEY)


@pytest.fixture
def first() -> Iterator[FakeEndpoint]:
    with embedding_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
def second() -> Iterator[FakeEndpoint]:
    with embedding_endpoint() as endpoint:
        yield endpoint


def resource(*endpoints: FakeEndpoint, **settings: Any) -> dict[str, Any]:
    reached = [{"url": endpoint.url, "key": "env:EMBEDDING_KEY"} for endpoint in endpoints]
    return {"model": "m", "dimension": DIMENSION, "endpoints": reached, "timeout_s": 0.5} | settings


@asynccontextmanager
async def embedder(
    *endpoints: FakeEndpoint, queue_tokens: int = 100_000, **settings: Any
) -> AsyncIterator[RemoteEmbedder]:
    made = RemoteEmbedder("r", EmbedderResource.model_validate(resource(*endpoints, **settings)), queue_tokens)
    try:
        yield made
    finally:
        await made.close()


async def embed(remote: RemoteEmbedder, *texts: str, lane: Lane = Lane.INGEST) -> list[Vector]:
    found = await remote.embed("r", [TextToEmbed(text) for text in texts], Purpose.PASSAGE, lane)
    return [vector for text in found for vector in text.vectors]


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110  -- a thread changes it
        await asyncio.sleep(0.01)


def unit(text: str) -> Any:
    vector = np.array(vector_of(text))
    return pytest.approx(vector / np.linalg.norm(vector), abs=1e-6)


async def test_texts_become_unit_vectors_in_their_order(first: FakeEndpoint) -> None:
    async with embedder(first, batch_texts=4) as remote:
        first.mode = "shuffled"
        texts = [f"text {i}" for i in range(10)]
        for text, vector in zip(texts, await embed(remote, *texts), strict=True):
            assert vector == unit(text)
            assert vector.dtype == np.float32
        assert sorted(map(len, first.requests)) == [2, 4, 4]
        assert set(first.keys) == {f"Bearer {KEY}"}


async def test_endpoints_take_turns(first: FakeEndpoint, second: FakeEndpoint) -> None:
    async with embedder(first, second) as remote:
        for i in range(6):
            await embed(remote, f"text {i}")
    assert (len(first.requests), len(second.requests)) == (3, 3)


@pytest.mark.parametrize("mode", FAILURES)
async def test_an_endpoint_that_fails_is_skipped_and_tried_later(
    first: FakeEndpoint, second: FakeEndpoint, mode: str
) -> None:
    async with embedder(first, second) as remote:
        first.mode = mode
        for i in range(4):
            assert (await embed(remote, f"text {i}"))[0] == unit(f"text {i}")
        assert len(first.requests) == 1
        assert len(second.requests) == 4
        first.mode = "good"
        wake(remote)
        for i in range(4):
            await embed(remote, f"again {i}")
        assert len(first.requests) == 3


def wake(remote: RemoteEmbedder) -> None:
    """Let the time pass for which endpoints are left alone."""
    for endpoint in remote._endpoints._endpoints:
        endpoint.rests_until_s = 0.0


@pytest.mark.parametrize("mode", FAILURES)
async def test_when_all_fail_the_caller_is_told_when_to_come_back(first: FakeEndpoint, mode: str) -> None:
    async with embedder(first) as remote:
        first.mode = mode
        with pytest.raises(Unavailable) as caught:
            await embed(remote, "text")
        assert isinstance(caught.value, Overloaded) == (mode in {"429", "503"})
        assert 0 < caught.value.retry_after_s <= 72
        with pytest.raises(Unavailable):
            await embed(remote, "text")
        assert len(first.requests) == 1
        first.mode = "good"
        wake(remote)
        assert (await embed(remote, "text"))[0] == unit("text")


async def test_a_failure_again_is_given_longer(first: FakeEndpoint) -> None:
    async with embedder(first) as remote:
        first.mode = "500"
        waits = []
        for _ in range(8):
            with pytest.raises(Unavailable) as caught:
                await embed(remote, "text")
            waits.append(caught.value.retry_after_s)
            wake(remote)
        assert 0.7 < waits[0] < 1.3
        assert 40 < waits[-1] <= 72
        first.mode = "good"
        await embed(remote, "text")
        first.mode = "500"
        with pytest.raises(Unavailable) as caught:
            await embed(remote, "text")
        assert caught.value.retry_after_s < 1.3


async def test_retry_after_is_obeyed(first: FakeEndpoint, second: FakeEndpoint) -> None:
    async with embedder(first, second) as remote:
        first.mode, first.retry_after = "429", "0.3"
        await embed(remote, "a")
        await embed(remote, "b")
        assert len(first.requests) == 1
        first.mode, asked = "good", time.monotonic()
        while len(first.requests) < 2:
            await embed(remote, "c")
            await asyncio.sleep(0.01)
        assert time.monotonic() - asked < 10


async def test_retry_after_has_two_forms() -> None:
    assert (read_wish("2"), read_wish("1.5"), read_wish("-1"), read_wish(""), read_wish("soon")) == (
        2,
        1.5,
        0,
        None,
        None,
    )
    assert 50 < (read_wish(format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)) or 0) <= 60
    assert read_wish("Wed, 21 Oct 2015 07:28:00 GMT") == 0


async def test_a_text_that_is_refused_fails_alone_and_rests_nobody(first: FakeEndpoint, second: FakeEndpoint) -> None:
    async with embedder(first, second) as remote:
        texts = [f"text {i}" for i in range(7)]
        with pytest.raises(InvalidArgument, match="HTTP 400"):
            await embed(remote, *texts[:3], POISON, *texts[3:])
        assert [POISON] in first.requests
        assert [POISON] in second.requests
        assert len(await embed(remote, *texts)) == 7


async def test_requests_at_once_are_bounded_and_a_query_finds_a_place(first: FakeEndpoint) -> None:
    first.delay_s = 30
    async with embedder(first, concurrency=3, batch_texts=1, timeout_s=30.0) as remote:
        bulk = asyncio.create_task(embed(remote, *(f"text {i}" for i in range(20))))
        await until(lambda: first.running == 2)
        query = asyncio.create_task(remote.embed_query("r", "question"))
        await until(lambda: ["question"] in first.requests)
        assert first.most_running == 3
        first.released.set()
        await asyncio.gather(bulk, query)
        assert first.most_running == 3


async def test_what_waits_is_bounded_and_a_caller_that_leaves_frees_its_place(first: FakeEndpoint) -> None:
    first.delay_s = 30
    async with embedder(first, queue_tokens=100, concurrency=1, timeout_s=30.0) as remote:
        waiting = asyncio.create_task(embed(remote, "x" * 300))
        await until(lambda: first.running == 1)
        with pytest.raises(Overloaded):
            await embed(remote, "y" * 300)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        first.released.set()
        assert len(await embed(remote, "y" * 300)) == 1


@pytest.mark.parametrize("text", ["word " * 400, "日本語の文章。" * 200, "ab😀" * 300])
async def test_a_long_text_becomes_chunks_that_fit(first: FakeEndpoint, text: str) -> None:
    async with embedder(first, max_tokens=256, passage_prefix="passage: ") as remote:
        (found,) = await remote.embed("r", [TextToEmbed(text, "Ann: ")], Purpose.PASSAGE, Lane.INGEST)
        assert found.token_count == 0
    inputs = [text for request in first.requests for text in request]
    assert len(inputs) == len(found.vectors) == len(found.spans) > 1
    covered = 0
    for (start, end), given in zip(found.spans.tolist(), inputs, strict=True):
        assert given == "passage: Ann: " + text[start:end]
        assert len(given.encode()) <= 256
        assert start <= covered < end
        covered = end
    assert covered == len(text)


async def test_with_a_tokenizer_tokens_are_counted(first: FakeEndpoint) -> None:
    async with embedder(first, tokenizer=SHIPPED / "tokenizer.json", max_tokens=64) as remote:
        assert await remote.count_tokens("r", ["two words", ""]) == [2, 0]
        (found,) = await remote.embed("r", [TextToEmbed("word " * 100)], Purpose.PASSAGE, Lane.INGEST)
        assert found.token_count == 100
        assert 1 < len(found.vectors) < 5
    async with embedder(first) as remote:
        with pytest.raises(InvalidArgument, match="tokenizer"):
            await remote.count_tokens("r", ["two words"])


async def test_the_fingerprint_covers_what_changes_vectors(first: FakeEndpoint, second: FakeEndpoint) -> None:
    def fingerprint(*endpoints: FakeEndpoint, name: str = "r", **settings: Any) -> str:
        return describe(name, EmbedderResource.model_validate(resource(*endpoints, **settings))).fingerprint

    same = fingerprint(first)
    assert same == fingerprint(second) == fingerprint(first, second, timeout_s=3, name="other")
    others = [
        fingerprint(first, model="n"),
        fingerprint(first, dimension=9),
        fingerprint(first, query_prefix="q: "),
        fingerprint(first, send_dimension=True),
        fingerprint(first, max_tokens=100),
    ]
    assert len({same, *others}) == 6


@asynccontextmanager
async def serving(database_url: str, **embedders: dict[str, Any]) -> AsyncIterator[Api]:
    settings = {"port": 0, "database_url": database_url, "embedders": embedders, "model": next(iter(embedders))}
    async with running(Settings.model_validate(settings)) as started:
        await started.ready()
        async with aio.insecure_channel(f"127.0.0.1:{started.port}") as channel:
            yield Api.over(channel)


async def test_a_space_with_a_remote_model_is_written_and_searched(
    database_url: str, space: str, first: FakeEndpoint, second: FakeEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    with written_logs(monkeypatch) as written:
        async with serving(database_url, remote=resource(first, second)) as api:
            models = (await api.embeddings.ListModels(ListModelsRequest())).models
            assert [(model.name, model.is_default) for model in models] == [
                ("models/remote", True),
                ("models/all-MiniLM-L6-v2", False),
            ]
            for text in ("one", "two", "three"):
                await api.create(space, text)
            assert (await api.search(space, text="two", mode="SEARCH_MODE_DENSE")).hits[0].memory.content == "two"
            first.mode = second.mode = "500"
            refused = await refusal(api.create(space, "four"))
            assert (refused.code.name, refused.reason) == ("UNAVAILABLE", "NOT_READY")
            assert len((await api.search(space, text="two", mode="SEARCH_MODE_LEXICAL")).hits) == 1
            counted = await refusal(api.embeddings.CountTokens(CountTokensRequest(texts=["a"])))
            assert counted.code.name == "INVALID_ARGUMENT"
        text = written()
    lines = [json.loads(line) for line in text.splitlines()]
    failed = [line for line in lines if line["event"] == "embedding_endpoint_failed"]
    assert {line["reason"] for line in failed} == {"HTTP 500"}
    assert KEY not in text


async def test_a_wrong_dimension_is_found_at_the_start(database_url: str, first: FakeEndpoint) -> None:
    first.mode = "wrong dimension"
    with pytest.raises(StartupError, match=r"embedders\.remote: .* vectors of 9 numbers, not 8"):
        async with serving(database_url, remote=resource(first)):
            pass


async def test_an_endpoint_that_is_away_at_the_start_is_waited_for(
    database_url: str, space: str, first: FakeEndpoint
) -> None:
    first.mode = "close"
    async with serving(database_url, remote=resource(first)) as api:
        assert (await refusal(api.create(space, "one"))).code.name == "UNAVAILABLE"


async def test_a_name_that_is_taken_is_refused(database_url: str, first: FakeEndpoint) -> None:
    with pytest.raises(StartupError, match="two models have the name 'all-MiniLM-L6-v2'"):
        async with serving(database_url, **{"all-MiniLM-L6-v2": resource(first)}):
            pass
