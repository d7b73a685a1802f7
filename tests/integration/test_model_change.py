"""The embedding model of a space is changed while it is searched and written."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
import pytest
import pytest_asyncio
from google.protobuf.json_format import MessageToDict
from grpc import aio
from numpy.typing import NDArray
from psycopg.conninfo import make_conninfo

from quipu.v1.job_pb2 import Job, JobState
from quipu.v1.job_service_pb2 import CancelJobRequest, RunJobRequest, WatchJobRequest
from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import CreateMemoryRequest
from quipu.v1.search_service_pb2 import SearchMode
from quipu.v1.space_pb2 import Space
from quipu.v1.space_service_pb2 import CreateSpaceRequest, GetSpaceRequest
from quipu_server.app import running
from quipu_server.config import Settings
from quipu_server.domain import Purpose, TextToEmbed
from quipu_server.embedding import SHIPPED, read_directory
from quipu_server.embedding.onnx import OnnxModel
from tests.integration.api import Api, Found
from tests.integration.test_failover import hot
from tests.small_model import SMALL, make_small_model

pytestmark = pytest.mark.asyncio(loop_scope="session")

LARGE = "all-MiniLM-L6-v2"
DENSE, LEXICAL = SearchMode.SEARCH_MODE_DENSE, SearchMode.SEARCH_MODE_LEXICAL
COUNT = 240
PLACES = ("harbour", "mountain hut", "railway station", "kitchen", "observatory", "bakery", "courtroom", "glasshouse")
ACTS = ("lost a key", "cooked soup", "told a joke", "watched the rain", "repaired the clock", "sang", "slept", "paid")
QUERIES = (
    "who fixed the timepiece",
    "bread",
    "somebody who laughed at the trains",
    "stars in the night",
    "the judge was tired",
    "cooked soup in the mountain hut",
)
K = 10
UNEMBEDDED = "SELECT count(*) FROM quipu.unembedded JOIN quipu.spaces s USING (space_id) WHERE s.name = %(name)s"
FINGERPRINTS = """
SELECT count(DISTINCT v.fingerprint) FROM quipu.vectors v JOIN quipu.spaces s USING (space_id) WHERE s.name = %(name)s
"""
CUT_OVER_WAITS = """
SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'SELECT FROM heads%%'
"""


@dataclass
class Exact:
    """What is near to each query by one model, computed here from what it makes of the texts."""

    model: OnnxModel
    queries: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    codes: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.queries = {text: self.embed(text, Purpose.QUERY) for text in QUERIES}

    def embed(self, text: str, purpose: Purpose) -> NDArray[np.float64]:
        vectors: NDArray[np.float64] = self.model.embed(TextToEmbed(text), purpose).vectors.astype(np.float64)
        first: NDArray[np.float64] = vectors[0]
        return first

    def add(self, memory_id: str, text: str) -> None:
        self.codes[memory_id] = self.embed(text, Purpose.PASSAGE).astype(np.float16).astype(np.float64)

    def nearest(self, query: str, memory_ids: Sequence[str]) -> list[str]:
        scored = [(-np.float32(self.codes[key] @ self.queries[query]), key) for key in memory_ids]
        return [key for _, key in sorted(scored)[:K]]


@dataclass
class Site:
    """Two servers with two models, one with hot indexes and one without, and the exact answers by both models."""

    url: str
    hot: Api
    store: Api
    small: Exact
    large: Exact

    @property
    def both(self) -> Sequence[Api]:
        return (self.hot, self.store)

    async def new_space(self, space: str, model: str, count: int = COUNT) -> list[str]:
        request = CreateSpaceRequest(space_id=space.removeprefix("spaces/"), space=Space(model=f"models/{model}"))
        await self.hot.spaces.CreateSpace(request)
        texts = {f"m{i:04}": text_of(i) for i in range(count)}
        await self.hot.fill(space, {key: Memory(content=text) for key, text in texts.items()})
        for key, text in texts.items():
            self.note(key, text)
        return list(texts)

    def note(self, memory_id: str, text: str) -> None:
        self.small.add(memory_id, text)
        self.large.add(memory_id, text)

    async def start(self, kind: str, space: str, **arguments: str) -> Job:
        request = RunJobRequest(kind=kind, space=space)
        request.arguments.update(arguments)
        return (await self.hot.jobs.RunJob(request)).job

    async def end(self, job: Job) -> Job:
        async for response in self.hot.jobs.WatchJob(WatchJobRequest(name=job.name)):
            job = response.job
        return job

    async def do(self, kind: str, space: str, **arguments: str) -> Mapping[str, Any]:
        job = await self.end(await self.start(kind, space, **arguments))
        assert job.state == JobState.JOB_STATE_SUCCEEDED, job.error
        return MessageToDict(job.result)

    async def models(self, space: str) -> tuple[str, str]:
        found = (await self.store.spaces.GetSpace(GetSpaceRequest(name=space))).space
        return found.model.removeprefix("models/"), found.previous_model.removeprefix("models/")

    async def check(self, space: str, exact: Exact, memory_ids: Sequence[str]) -> None:
        """Both servers answer each query exactly as the model does."""
        await hot(self.hot, space)
        for api in self.both:
            for query in QUERIES:
                found = await api.search(space, text=query, mode=DENSE, k=K)
                assert found.ids == exact.nearest(query, memory_ids), query

    async def value(self, statement: str, space: str) -> int:
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            row = await (await connection.execute(statement, {"name": space.removeprefix("spaces/")})).fetchone()
        assert row is not None
        return int(row[0])

    async def fingerprints(self, space: str) -> int:
        return await self.value(FINGERPRINTS, space)

    async def until_none_wait(self, space: str) -> None:
        while True:
            if not await self.value(UNEMBEDDED, space):
                return
            await asyncio.sleep(0.05)

    @asynccontextmanager
    async def held_cut_over(self, space: str) -> AsyncIterator[None]:
        """Nobody can write to the space, or cut it over."""
        name = space.removeprefix("spaces/")
        lock = "SELECT FROM quipu.heads JOIN quipu.spaces s USING (space_id) WHERE s.name = %s FOR UPDATE OF heads"
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            await connection.execute(lock, (name,))
            yield
            await connection.rollback()

    async def until_cut_over_waits(self) -> None:
        while True:
            if await self.value(CUT_OVER_WAITS, ""):
                return
            await asyncio.sleep(0.02)


def text_of(number: int) -> str:
    place, act = PLACES[number % len(PLACES)], ACTS[number // len(PLACES) % len(ACTS)]
    return f"On day {number} the visitor {act} in the {place}, and number {number * 7919 % 1000} was called"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def site(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    name = f"models_{uuid4().hex}"
    directory = make_small_model(tmp_path_factory.mktemp("models"))
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(f"CREATE DATABASE {name}")
    common: dict[str, Any] = {
        "port": 0,
        "database_url": make_conninfo(database_url, dbname=name),
        "model_dirs": (directory,),
        "embedding_workers": 1,
    }
    async with AsyncExitStack() as stack:
        apis = []
        for settings in (Settings(**common), Settings(**common, job_workers=0, hot_bytes=0)):
            server = await stack.enter_async_context(running(settings))
            await server.ready()
            channel = await stack.enter_async_context(aio.insecure_channel(f"127.0.0.1:{server.port}"))
            apis.append(Api.over(channel))
        exact = [Exact(OnnxModel(read_directory(path))) for path in (directory, SHIPPED)]
        yield Site(common["database_url"], apis[0], apis[1], exact[0], exact[1])


async def test_searches_and_writes_go_on_and_no_answer_mixes_models(site: Site, space: str) -> None:
    memory_ids = await site.new_space(space, SMALL)
    await site.check(space, site.small, memory_ids)
    answers: list[list[tuple[str, Found]]] = [[] for _ in range(4)]
    over = asyncio.Event()

    async def search(api: Api, seen: list[tuple[str, Found]]) -> None:
        while not over.is_set():
            for query in QUERIES:
                seen.append((query, await api.search(space, text=query, mode=DENSE, k=K)))

    async def write() -> None:
        while not over.is_set():
            key, text = f"w{len(memory_ids):04}", text_of(10_000 + len(memory_ids))
            site.note(key, text)
            await site.hot.create(space, text, key)
            memory_ids.append(key)
            await asyncio.sleep(0.03)

    async with asyncio.TaskGroup() as tasks:
        for number, seen in enumerate(answers):
            tasks.create_task(search(site.both[number % 2], seen))
        tasks.create_task(write())
        await asyncio.sleep(0.3)
        result = await site.do("change-model", space, model=f"models/{LARGE}")
        await asyncio.sleep(0.5)
        over.set()
    assert result["embedded"] >= COUNT
    assert await site.models(space) == (LARGE, SMALL)
    for seen in answers:
        check_answers(site, memory_ids, seen)
    await site.check(space, site.large, memory_ids)
    found = await site.store.search(space, text="x", mode=DENSE)
    assert found.summary.answers[0].unembedded_count == 0


def check_answers(site: Site, memory_ids: Sequence[str], seen: Sequence[tuple[str, Found]]) -> None:
    """Each is that of one model; once it is the new one, it is never again the old one."""
    by_new = []
    for query, found in seen:
        # One writer, one revision each: the revision tells which memories there were.
        there = memory_ids[: found.summary.answers[0].revision]
        old, new = site.small.nearest(query, there), site.large.nearest(query, there)
        assert old != new, "the query does not tell the models apart"
        assert found.ids in (old, new)
        by_new.append(found.ids == new)
    assert by_new == sorted(by_new)
    assert {*by_new} == {False, True}


async def test_the_way_back_embeds_only_what_is_newer(site: Site, space: str) -> None:
    memory_ids = await site.new_space(space, SMALL, 60)
    await site.do("change-model", space, model=LARGE)
    await site.check(space, site.large, memory_ids)
    for number in range(3):
        key, text = f"n{number}", text_of(20_000 + number)
        await site.hot.create(space, text, key)
        site.note(key, text)
        memory_ids.append(key)
    assert await site.do("revert-model", space) == {"model": f"models/{SMALL}", "embedded": 3.0}
    assert await site.models(space) == (SMALL, LARGE)
    await site.check(space, site.small, memory_ids)
    assert await site.do("change-model", space, model=LARGE) == {"model": f"models/{LARGE}", "embedded": 0.0}
    await site.check(space, site.large, memory_ids)
    assert await site.fingerprints(space) == 2
    assert await site.do("drop-old-vectors", space) == {"dropped": 63.0}
    assert await site.fingerprints(space) == 1
    assert await site.models(space) == (LARGE, "")
    await site.check(space, site.large, memory_ids)
    job = await site.end(await site.start("revert-model", space))
    assert (job.state, job.attempts) == (JobState.JOB_STATE_FAILED, 1)
    assert "change-model" in job.error


async def test_a_cancelled_change_leaves_the_old_model(site: Site, space: str) -> None:
    memory_ids = await site.new_space(space, SMALL, 80)
    async with site.held_cut_over(space):
        job = await site.start("change-model", space, model=LARGE)
        await site.until_cut_over_waits()
        assert (await site.hot.jobs.CancelJob(CancelJobRequest(name=job.name))).job.cancel_requested
        assert (await site.end(job)).state == JobState.JOB_STATE_CANCELLED
    assert await site.models(space) == (SMALL, "")
    await site.check(space, site.small, memory_ids)
    # A later one goes on with what it made.
    assert (await site.do("change-model", space, model=LARGE))["embedded"] == 0
    await site.check(space, site.large, memory_ids)


async def test_a_write_that_meets_the_cut_over_is_embedded_anew(site: Site, space: str) -> None:
    memory_ids = await site.new_space(space, SMALL, 20)
    async with site.held_cut_over(space):
        job = await site.start("change-model", space, model=LARGE)
        await site.until_cut_over_waits()
        # It has the vector of the old model, and waits behind the cut-over for the head.
        request = CreateMemoryRequest(parent=space, memory_id="late", memory=Memory(content=text_of(30_000)))
        writing = asyncio.create_task(finished(site.store.memories.CreateMemory(request)))
        await asyncio.sleep(0.5)
        assert not writing.done()
    await writing
    assert (await site.end(job)).state == JobState.JOB_STATE_SUCCEEDED
    site.note("late", text_of(30_000))
    await site.check(space, site.large, [*memory_ids, "late"])


async def finished(call: Awaitable[object]) -> None:
    await call


async def test_a_model_that_is_not_there_fails_the_job(site: Site, space: str) -> None:
    memory_ids = await site.new_space(space, SMALL, 10)
    job = await site.end(await site.start("change-model", space, model="models/none"))
    assert (job.state, job.attempts) == (JobState.JOB_STATE_FAILED, 1)
    assert "models/none" in job.error
    await site.check(space, site.small, memory_ids)


async def test_what_waits_to_be_embedded_gets_the_model_of_then(site: Site, space: str) -> None:
    memory_ids = await site.new_space(space, SMALL, 10)
    async with site.held_cut_over(space):
        request = CreateMemoryRequest(
            parent=space, memory_id="d", memory=Memory(content=text_of(40_000)), defer_embedding=True
        )
        writing = asyncio.create_task(finished(site.store.memories.CreateMemory(request)))
        job = await site.start("change-model", space, model=LARGE)
        await site.until_cut_over_waits()
    await writing
    assert (await site.end(job)).state == JobState.JOB_STATE_SUCCEEDED
    await site.until_none_wait(space)
    site.note("d", text_of(40_000))
    await site.check(space, site.large, [*memory_ids, "d"])
