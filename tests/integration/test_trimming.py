"""What is left when history was trimmed."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import grpc
import pytest
import pytest_asyncio

from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import (
    DeleteMemoryRequest,
    GetMemoryRequest,
    ListMemoriesRequest,
    ListMemoryRevisionsRequest,
    UndeleteMemoryRequest,
    UpdateMemoryRequest,
    WatchMemoriesRequest,
)
from quipu_server.config import Settings
from quipu_server.ports.jobs import JobContext
from quipu_server.store import Database
from quipu_server.store.history import PostgresHistoryStore
from quipu_server.trimming import TrimHistory, Trimming
from tests.integration.api import Api, read_refusal, refusal
from tests.integration.test_failover import hot
from tests.postgres import connected

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass
class Context:
    """A job that nobody watches."""

    job: Any = None

    async def checkpoint(self, state: object, done: int | None = None, total: int | None = None) -> None: ...

    async def check_cancelled(self) -> None: ...


@dataclass
class NoCheckpoint:
    """A job that begins."""

    checkpoint: None = None


@dataclass
class Site:
    """The database of the servers."""

    database: Database

    async def age(self, space: str, upto: int) -> UUID:
        """Let the revisions of a space up to one be ten days old."""
        async with self.database.unlocked() as connection:
            name = space.removeprefix("spaces/")
            row = await (await connection.execute("SELECT space_id FROM spaces WHERE name = %s", (name,))).fetchone()
            assert row is not None
            await connection.execute(
                "UPDATE memory_revisions SET update_time = update_time - interval '10 days'"
                " WHERE space_id = %s AND revision <= %s",
                (row[0], upto),
            )
        return cast("UUID", row[0])

    async def trim(self) -> None:
        context = cast("JobContext", Context(NoCheckpoint()))
        await Trimming(PostgresHistoryStore(self.database), 9).run(context, TrimHistory())

    async def count(self, table: str, space_id: UUID) -> int:
        async with self.database.unlocked() as connection:
            cursor = await connection.execute(f"SELECT count(*) FROM {table} WHERE space_id = %s", (space_id,))
            row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


@pytest_asyncio.fixture(loop_scope="session")
async def site(database_url: str) -> AsyncIterator[Site]:
    async with connected(database_url) as database:
        yield Site(database)


async def write(api: Api, space: str) -> None:
    """Six revisions: a changed three times, b made, deleted, c made."""
    await api.create(space, "first", "a")
    for content in ("second", "third"):
        await api.memories.UpdateMemory(UpdateMemoryRequest(memory=Memory(name=f"{space}/memories/a", content=content)))
    await api.create(space, "gone", "b")
    await api.memories.DeleteMemory(DeleteMemoryRequest(name=f"{space}/memories/b"))
    await api.create(space, "last", "c")


async def test_ended_versions_go_with_their_texts(api: Api, site: Site, space: str) -> None:
    await write(api, space)
    await hot(api, space)
    space_id = await site.age(space, 5)
    await site.trim()
    assert await site.count("memory_revisions", space_id) == 3
    assert await site.count("passages", space_id) == await site.count("vectors", space_id) == 3
    found = await api.search(space, text="third")
    assert sorted(found.ids) == ["a", "c"]
    await api.memories.UndeleteMemory(UndeleteMemoryRequest(name=f"{space}/memories/b"))
    assert sorted((await api.search(space, text="gone")).ids) == ["a", "b", "c"]


async def test_what_is_young_stays(api: Api, site: Site, space: str) -> None:
    await write(api, space)
    space_id = await site.age(space, 2)
    await site.trim()
    assert await site.count("memory_revisions", space_id) == 5
    memory = (await api.memories.GetMemory(GetMemoryRequest(name=f"{space}/memories/a", revision=2))).memory
    assert memory.content == "second"


async def test_the_past_before_it_is_out_of_range(either: Api, site: Site, space: str) -> None:
    await write(either, space)
    await site.age(space, 3)
    await site.trim()
    name = f"{space}/memories/a"
    for call in (
        either.memories.GetMemory(GetMemoryRequest(name=name, revision=2)),
        either.memories.ListMemories(ListMemoriesRequest(parent=space, revision=2)),
    ):
        refused = await refusal(call)
        assert (refused.code, refused.reason) == (grpc.StatusCode.OUT_OF_RANGE, "REVISION_OUT_OF_RANGE")
        assert refused.metadata == {"name": space, "oldest": "3"}
    watch = either.memories.WatchMemories(WatchMemoriesRequest(spaces=[space], after_revisions={space: 2}))
    with pytest.raises(grpc.aio.AioRpcError) as refused_watch:
        await anext(aiter(watch))
    assert read_refusal(refused_watch.value).metadata["oldest"] == "3"
    listed = await either.memories.ListMemories(ListMemoriesRequest(parent=space, revision=3))
    assert [memory.content for memory in listed.memories] == ["third"]


async def test_a_watch_from_the_beginning_gets_what_is_kept(api: Api, site: Site, space: str) -> None:
    await write(api, space)
    await site.age(space, 5)
    await site.trim()
    watch = api.memories.WatchMemories(WatchMemoriesRequest(spaces=[space], after_revisions={space: 0}))
    response = await anext(aiter(watch))
    watch.cancel()
    assert [change.revision.revision for change in response.changes] == [3, 5, 6]
    history = await api.memories.ListMemoryRevisions(ListMemoryRevisionsRequest(name=f"{space}/memories/a"))
    assert [version.revision for version in history.revisions] == [3]


async def test_an_index_that_is_behind_what_was_trimmed_is_built_anew(
    api: Api, replica: Api, site: Site, space: str
) -> None:
    await api.create(space, "first", "a")
    await hot(api, space)
    for content in ("second", "third", "fourth"):
        await replica.memories.UpdateMemory(
            UpdateMemoryRequest(memory=Memory(name=f"{space}/memories/a", content=content))
        )
    await site.age(space, 4)
    await site.trim()
    hits = (await api.search(space, text="fourth")).hits
    assert [hit.memory.content for hit in hits] == ["fourth"]
    await hot(api, space)


async def test_history_outlives_the_ids_of_requests() -> None:
    with pytest.raises(ValueError, match="at least 7"):
        Settings(history_days=3)
