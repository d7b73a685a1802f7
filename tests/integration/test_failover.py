"""A database that comes back with another history: an older copy, which others wrote to since."""

import asyncio

import psycopg
import pytest

import quipu
from quipu.v1.memory_service_pb2 import DeleteMemoryRequest
from quipu.v1.search_service_pb2 import SearchPath
from quipu_server.app import Running
from tests.integration.api import Api, Found

pytestmark = pytest.mark.asyncio(loop_scope="session")

RESTORE = """
DELETE FROM quipu.memory_revisions r USING quipu.spaces s
WHERE s.space_id = r.space_id AND s.name = %(name)s AND r.revision > %(revision)s;
UPDATE quipu.memory_revisions r SET ended = NULL FROM quipu.spaces s
WHERE s.space_id = r.space_id AND s.name = %(name)s AND r.ended > %(revision)s;
UPDATE quipu.heads h SET revision = %(revision)s, memory_count = %(count)s FROM quipu.spaces s
WHERE s.space_id = h.space_id AND s.name = %(name)s;
"""


async def restore(database_url: str, space: str, revision: int, count: int) -> None:
    """Put the rows of a space back to where they were at a revision, when it had so many memories."""
    values = {"name": space.removeprefix("spaces/"), "revision": revision, "count": count}
    async with (
        await psycopg.AsyncConnection.connect(database_url) as connection,
        psycopg.AsyncClientCursor(connection) as cursor,
    ):
        await cursor.execute(RESTORE, values)


async def write(api: Api, space: str, numbers: range, what: str) -> None:
    for i in numbers:
        await api.create(space, f"{what} {i}", f"{what}{i}")


async def hot(api: Api, space: str) -> Found:
    """An answer from memory, once there is one."""
    for _ in range(500):
        found = await api.search(space, text="what happened", k=100)
        if found.summary.answers[0].path == SearchPath.SEARCH_PATH_HOT:
            return found
        await asyncio.sleep(0.01)
    pytest.fail("the space stays cold")


@pytest.mark.parametrize("later", [2, 4, 7], ids=["shorter", "equal", "longer"])
async def test_another_history_is_never_mixed_with_the_first(
    api: Api, replica: Api, database_url: str, space: str, later: int
) -> None:
    """The database comes back with an older copy that others write to: no search mixes the two histories."""
    await write(api, space, range(6), "kept")
    await write(api, space, range(3), "lost")
    await api.memories.DeleteMemory(DeleteMemoryRequest(name=f"{space}/memories/kept1"))
    assert len((await hot(api, space)).hits) == 8
    await restore(database_url, space, 6, 6)
    await write(replica, space, range(later), "new")
    right = sorted([*(f"kept{i}" for i in range(6)), *(f"new{i}" for i in range(later))])
    first = await api.search(space, text="what happened", k=100)
    assert sorted(first.ids) == right
    again = await hot(api, space)
    assert sorted(again.ids) == right
    assert again.summary.answers[0].revision == 6 + later
    assert again.ids == (await replica.search(space, text="what happened", k=100)).ids


@pytest.mark.parametrize("later", [0, 2, 4, 7], ids=["untouched", "shorter", "equal", "longer"])
async def test_those_who_watch_are_told_that_the_log_was_replaced(
    api: Api, replica: Api, server: Running, database_url: str, space: str, later: int
) -> None:
    """The database comes back with an older copy while somebody watches: LOG_REPLACED, and nothing is missed."""
    await write(api, space, range(6), "kept")
    async with quipu.connect(f"127.0.0.1:{server.port}", space=space.removeprefix("spaces/")) as client:
        watch = client.watch(after=0)
        early = [await anext(watch) for _ in range(4)][-1], watch.token
        for _ in range(2):
            await anext(watch)
        await write(api, space, range(4), "lost")
        assert [(await anext(watch)).memory.content for _ in range(4)] == [f"lost {i}" for i in range(4)]
        token = watch.token
        await restore(database_url, space, 6, 6)
        await write(replica, space, range(later), "new")
        heads: list[str] = []
        for each in (watch, client.watch(after=token)):
            with pytest.raises(quipu.OutOfRange) as raised:
                await asyncio.wait_for(anext(each), 10)
            assert raised.value.reason == "LOG_REPLACED"
            assert (raised.value.metadata["name"], raised.value.metadata["revision"]) == (space, "10")
            heads.append(raised.value.metadata["head"])
        assert heads[-1] == f"{6 + later}"  # the first may have ended before the last write
        again = client.watch(after=early[1])  # what it had read is still there
        rest = [(await anext(again)).memory.content for _ in range(2 + later)]
        assert rest == ["kept 4", "kept 5", *(f"new {i}" for i in range(later))]
        await again.close()


async def test_an_older_copy_that_nobody_wrote_to_is_noticed(api: Api, database_url: str, space: str) -> None:
    await write(api, space, range(6), "kept")
    await write(api, space, range(3), "lost")
    await hot(api, space)
    await restore(database_url, space, 6, 6)
    for _ in range(3):
        found = await api.search(space, text="what happened", k=100)
        assert sorted(found.ids) == [f"kept{i}" for i in range(6)]
        assert found.summary.answers[0].revision == 6
