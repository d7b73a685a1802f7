"""Memories that are stored without waiting for the model."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from grpc import aio
from psycopg.conninfo import make_conninfo

from quipu.v1.memory_pb2 import Memory, MemoryChange
from quipu.v1.memory_service_pb2 import (
    BatchCreateMemoriesRequest,
    CreateMemoryRequest,
    DeleteMemoryRequest,
    GetMemoryRequest,
    IngestItem,
    IngestMemoriesRequest,
    IngestStart,
    IngestState,
    ListMemoryRevisionsRequest,
    UndeleteMemoryRequest,
    UpdateMemoryRequest,
)
from quipu.v1.search_service_pb2 import SearchMode
from quipu.v1.value_pb2 import Vector
from quipu_server.app import running
from quipu_server.config import Settings
from tests.integration.api import Api, refusal
from tests.integration.test_failover import hot

pytestmark = pytest.mark.asyncio(loop_scope="session")

DENSE, LEXICAL = SearchMode.SEARCH_MODE_DENSE, SearchMode.SEARCH_MODE_LEXICAL
TEXTS = {
    "cat": "The cat sleeps on the warm windowsill",
    "tax": "The tax office wants the form by Friday",
    "sea": "We swam in the cold sea before breakfast",
}


@dataclass
class Site:
    """Two servers that do no jobs, one with hot indexes and one without, and one that does them when it is asked to."""

    url: str
    hot: Api
    store: Api

    @asynccontextmanager
    async def jobs_done(self) -> AsyncIterator[None]:
        """A server that does jobs, until nothing waits to be embedded."""
        async with running(Settings(port=0, database_url=self.url, hot_bytes=0)) as worker:
            await worker.ready()
            await self.until_none_wait()
            yield

    async def until_none_wait(self) -> None:
        while True:
            if not await self.waiting():
                return
            await asyncio.sleep(0.05)

    async def waiting(self) -> int:
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            row = await (await connection.execute("SELECT count(*) FROM quipu.unembedded")).fetchone()
            assert row is not None
            return int(row[0])

    async def defer(self, space: str, **texts: str) -> None:
        requests = [CreateMemoryRequest(memory_id=key, memory=Memory(content=text)) for key, text in texts.items()]
        batch = BatchCreateMemoriesRequest(parent=space, requests=requests, defer_embedding=True)
        await self.hot.memories.BatchCreateMemories(batch)


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def site(database_url: str) -> AsyncIterator[Site]:
    name = f"later_{uuid4().hex}"
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(f"CREATE DATABASE {name}")
    url = make_conninfo(database_url, dbname=name)
    async with AsyncExitStack() as stack:
        apis = []
        for settings in (
            Settings(port=0, database_url=url, job_workers=0),
            Settings(port=0, database_url=url, job_workers=0, hot_bytes=0),
        ):
            server = await stack.enter_async_context(running(settings))
            await server.ready()
            channel = await stack.enter_async_context(aio.insecure_channel(f"127.0.0.1:{server.port}"))
            apis.append(Api.over(channel))
        yield Site(url, *apis)


async def test_words_find_at_once_and_meaning_after_the_job(site: Site, space: str) -> None:
    await site.hot.create(space, "A dog barks at the postman", "dog")
    await site.defer(space, **TEXTS)
    await hot(site.hot, space)
    for api in (site.hot, site.store):
        assert (await api.search(space, text="windowsill", mode=LEXICAL)).ids == ["cat"]
        found = await api.search(space, text="windowsill", k=1)
        assert (found.ids, found.summary.answers[0].unembedded_count) == (["cat"], 3)
        assert (await api.search(space, text="an animal at home", mode=DENSE)).ids == ["dog"]
    async with site.jobs_done():
        for api in (site.hot, site.store):
            found = await api.search(space, text="a kitten naps by the glass", mode=DENSE, k=4)
            assert (found.ids[0], sorted(found.ids)) == ("cat", ["cat", "dog", "sea", "tax"])
            assert found.summary.answers[0].unembedded_count == 0


async def test_both_paths_order_what_has_vectors_and_what_has_not_alike(site: Site, space: str) -> None:
    await site.hot.fill(space, {f"m{i}": Memory(content=f"the cat of day {i} sleeps") for i in range(20)})
    await site.defer(space, **{f"w{i}": f"the cat of week {i} sleeps by the sea" for i in range(20)})
    await hot(site.hot, space)
    for mode in (SearchMode.SEARCH_MODE_HYBRID, DENSE, LEXICAL):
        one, other = [await api.search(space, text="sea cat", mode=mode, k=40) for api in (site.hot, site.store)]
        assert one.ids == other.ids
        assert [hit.relevance for hit in one.hits] == [hit.relevance for hit in other.hits]


async def test_the_new_version_is_the_old_one_with_another_etag(site: Site, space: str) -> None:
    await site.defer(space, cat=TEXTS["cat"])
    name = f"{space}/memories/cat"
    before = (await site.hot.memories.GetMemory(GetMemoryRequest(name=name))).memory
    async with site.jobs_done():
        after = (await site.hot.memories.GetMemory(GetMemoryRequest(name=name))).memory
    assert (after.update_time, after.create_time) == (before.update_time, before.create_time)
    assert (before.revision, after.revision) == (1, 2)
    history = (await site.hot.memories.ListMemoryRevisions(ListMemoryRevisionsRequest(name=name))).revisions
    assert [one.change for one in history] == [
        MemoryChange.MEMORY_CHANGE_EMBEDDED,
        MemoryChange.MEMORY_CHANGE_CREATED,
    ]


async def test_what_was_changed_or_deleted_meanwhile_stays_so(site: Site, space: str) -> None:
    await site.defer(space, **TEXTS)
    changed = Memory(name=f"{space}/memories/cat", content="A whale sings in the deep")
    await site.hot.memories.UpdateMemory(UpdateMemoryRequest(memory=changed))
    await site.hot.memories.UpdateMemory(
        UpdateMemoryRequest(memory=Memory(name=f"{space}/memories/sea", importance=0.9))
    )
    await site.hot.memories.DeleteMemory(DeleteMemoryRequest(name=f"{space}/memories/tax"))
    async with site.jobs_done():
        for api in (site.hot, site.store):
            assert (await api.search(space, text="the song of a sea animal", mode=DENSE, k=3)).ids == ["cat", "sea"]
        await site.hot.memories.UndeleteMemory(UndeleteMemoryRequest(name=f"{space}/memories/tax"))
        for api in (site.hot, site.store):
            assert (await api.search(space, text="the form for the tax office", mode=DENSE, k=1)).ids == ["tax"]


async def test_a_given_vector_does_not_wait(site: Site, space: str) -> None:
    memory = Memory(content="given", vector=Vector(values=[1.0] + [0.0] * 383))
    request = CreateMemoryRequest(parent=space, memory_id="given", memory=memory, defer_embedding=True)
    await site.hot.memories.CreateMemory(request)
    assert (await site.hot.search(space, text="anything", mode=DENSE)).ids == ["given"]


async def test_others_like_it_are_found_before_it_is_embedded(site: Site, space: str) -> None:
    await site.hot.fill(space, {"dog": Memory(content="A dog naps"), "form": Memory(content="A form to fill in")})
    await site.defer(space, cat=TEXTS["cat"])
    for api in (site.hot, site.store):
        assert (await api.search(space, example=f"{space}/memories/cat", mode=DENSE)).ids[0] == "dog"


async def test_a_stream_may_defer(site: Site, space: str) -> None:
    """What is sent again is told as it is by then."""
    stream_id = str(uuid4())

    async def messages() -> AsyncIterator[IngestMemoriesRequest]:
        start = IngestStart(parent=space, stream_id=stream_id, defer_embedding=True)
        yield IngestMemoriesRequest(start=start)
        for offset, (key, text) in enumerate(TEXTS.items()):
            yield IngestMemoriesRequest(item=IngestItem(offset=offset, memory_id=key, memory=Memory(content=text)))

    async def send() -> list[tuple[int, int]]:
        responses = [response async for response in site.hot.memories.IngestMemories(messages())]
        return [(a.stored.revision, a.stored.state) for response in responses for a in response.acknowledgements]

    stored = [(revision, IngestState.INGEST_STATE_STORED) for revision in (1, 2, 3)]
    assert await send() == stored
    assert await site.waiting() >= 3
    assert await send() == stored
    async with site.jobs_done():
        assert (await site.store.search(space, text="taxes", mode=DENSE, k=1)).ids == ["tax"]
    assert await send() == [(revision, IngestState.INGEST_STATE_SEARCHABLE) for revision in (1, 2, 3)]


async def test_an_item_of_a_batch_cannot_defer_alone(site: Site, space: str) -> None:
    requests = [CreateMemoryRequest(memory=Memory(content="a"), defer_embedding=True)]
    refused = await refusal(
        site.hot.memories.BatchCreateMemories(BatchCreateMemoriesRequest(parent=space, requests=requests))
    )
    assert refused.fields == ("requests[0].defer_embedding",)
