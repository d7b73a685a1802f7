"""What a transaction has entered ends with it, whichever way it ends: nothing of it is left on the connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg import Rollback

from quipu_server.domain import Space
from quipu_server.ports import NEWEST
from quipu_server.store import Database, ExternalPostgres, PostgresMemoryStore, PostgresSpaceStore
from quipu_server.store import copy_format as binary
from quipu_server.store.roles import TENANT_ROLE
from tests.contract.stores import Stores, a_creation, a_space
from tests.postgres import Cluster, make_tenants

_STATE = """
SELECT coalesce(current_setting('quipu.tenant', true), ''), coalesce(current_setting('quipu.space', true), ''),
       current_user
"""
_SLOW = "SELECT pg_sleep(10)"
_WRONG = "SELECT 1 / 0"
_MINE = "SELECT DISTINCT space_id FROM memory_revisions WHERE revision >= $1::bigint"

MOMENTS, LONGEST_READ_S = 100, 0.004
"""When a read is given up: it takes about half as long."""

Way = Callable[[Database, Space], Awaitable[None]]


@pytest.fixture
async def alone(cluster: Cluster) -> AsyncIterator[Database]:
    """A database over a pool of one connection."""
    async with cluster.empty_database() as url:
        database = Database(ExternalPostgres(url), pool_size=1)
        await database.open()
        await database.wait_ready()
        yield database
        await database.close()


async def returns(database: Database, space: Space) -> None:
    async with database.transaction(space) as connection:
        await connection.execute("SELECT 1")


async def fails(database: Database, space: Space) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        async with database.transaction(space) as connection:
            await connection.execute(_WRONG)


async def swallows(database: Database, space: Space) -> None:
    async with database.transaction(space) as connection:
        with pytest.raises(psycopg.errors.DivisionByZero):
            await connection.execute(_WRONG)


async def raises(database: Database, space: Space) -> None:
    with pytest.raises(KeyError):
        async with database.transaction(space):
            raise KeyError


async def rolls_back(database: Database, space: Space) -> None:
    async with database.transaction(space):
        raise Rollback


async def is_cancelled(database: Database, space: Space) -> None:
    async def run() -> None:
        async with database.transaction(space) as connection:
            await connection.execute(_SLOW)

    await cancel(run())


async def reads(database: Database, space: Space) -> None:
    async with database.transaction(space) as connection:
        assert await (await connection.execute("SELECT current_setting('quipu.tenant')")).fetchone() == ("default",)


async def reads_wrongly(database: Database, space: Space) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        async with database.transaction(space) as connection:
            await (await connection.execute(_WRONG)).fetchone()


async def leaves_a_read(database: Database, space: Space) -> None:
    async def run() -> None:
        async with database.transaction(space) as connection:
            await (await connection.execute(_SLOW)).fetchone()

    await cancel(run())


async def is_unlocked(database: Database, space: Space) -> None:
    async with database.unlocked() as connection:
        await connection.execute("SELECT 1")


async def is_cancelled_unlocked(database: Database, space: Space) -> None:
    async def run() -> None:
        async with database.unlocked() as connection:
            await connection.execute(_SLOW)

    await cancel(run())


async def owns(database: Database, space: Space) -> None:
    async with database.owner() as connection:
        await connection.execute("SELECT 1")


async def owns_wrongly(database: Database, space: Space) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        async with database.owner() as connection:
            await connection.execute(_WRONG)


async def is_cancelled_as_owner(database: Database, space: Space) -> None:
    async def run() -> None:
        async with database.owner() as connection:
            await connection.execute(_SLOW)

    await cancel(run())


async def cancel(work: Any) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


WAYS = (
    returns,
    fails,
    swallows,
    raises,
    rolls_back,
    is_cancelled,
    reads,
    reads_wrongly,
    leaves_a_read,
    is_unlocked,
    is_cancelled_unlocked,
    owns,
    owns_wrongly,
    is_cancelled_as_owner,
)


@pytest.mark.parametrize("way", WAYS)
async def test_the_next_finds_nothing_entered(alone: Database, way: Way) -> None:
    space = await PostgresSpaceStore(alone).create_space(a_space(), None)
    await PostgresMemoryStore(alone).append(space, [a_creation()], None)
    await way(alone, space)
    async with (await alone.pool()).connection() as connection:
        assert await (await connection.execute(_STATE)).fetchone() == ("", "", TENANT_ROLE)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute("SELECT * FROM memory_revisions")


async def test_the_next_can_use_what_was_left_at_any_moment(alone: Database) -> None:
    space = await PostgresSpaceStore(alone).create_space(a_space(), None)
    memories = PostgresMemoryStore(alone)
    for moment_s in np.linspace(0.0, LONGEST_READ_S, MOMENTS).tolist():
        reading = asyncio.create_task(memories.history(space, "a", NEWEST, 10))
        await asyncio.sleep(moment_s)
        while not reading.done():  # whatever it does to end well is given up, too
            reading.cancel()
            await asyncio.sleep(0)
        await memories.append(space, [a_creation()], None)


async def test_reads_sent_together_see_their_own(database: Database, postgres_stores: Stores) -> None:
    spaces = [await postgres_stores.spaces.create_space(a_space(tenant=tenant), None) for tenant in ("one", "two")]
    for space in spaces:
        await postgres_stores.memories.append(space, [a_creation()], None)
    order = [*spaces, *reversed(spaces), spaces[0]]
    found = await asyncio.gather(*(database.fetch(space, _MINE, binary.int8(0)) for space in order))
    assert found == [[(space.id,)] for space in order]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await database.fetch("one", _MINE, binary.int8(0))
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="has entered no"):
        await database._read(TENANT_ROLE, _MINE, (binary.int8(0),))


async def test_a_read_that_fails_leaves_nothing_entered(database: Database, postgres_stores: Stores) -> None:
    await make_tenants(database, "three")
    space = await postgres_stores.spaces.create_space(a_space(tenant="three"), None)
    await postgres_stores.memories.append(space, [a_creation()], None)
    with pytest.raises(psycopg.errors.DivisionByZero):
        await database.fetch(space, "SELECT 1 / $1::bigint", binary.int8(0))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await database._read(TENANT_ROLE, _MINE, (binary.int8(0),))
