"""The counts of use in PostgreSQL."""

import pytest

from quipu_server.store import Database
from quipu_server.store.uses import PostgresUseStore
from tests.contract.stores import Stores, a_space


@pytest.fixture
def uses(database: Database) -> PostgresUseStore:
    return PostgresUseStore(database)


async def test_counts_are_added(uses: PostgresUseStore, postgres_stores: Stores) -> None:
    space, other = await postgres_stores.new_space(), await postgres_stores.new_space()
    await uses.add_uses(space, {"a": 2, "b": 1})
    first = await uses.uses(space, ["a"])
    await uses.add_uses(space, {"a": 3})
    await uses.add_uses(other, {"a": 100})
    found = await uses.uses(space, ["a", "b", "c"])
    assert {key: use.count for key, use in found.items()} == {"a": 5, "b": 1}
    assert found["a"].last_time > first["a"].last_time == found["b"].last_time


async def test_counts_go_with_their_space(uses: PostgresUseStore, postgres_stores: Stores, database: Database) -> None:
    space = await postgres_stores.new_space()
    await uses.add_uses(space, {"a": 2})
    await postgres_stores.spaces.delete_space(space, force=True, request=None)
    await uses.add_uses(space, {"a": 2})
    await uses.add_uses(a_space(), {"a": 2})
    async with database.unlocked() as connection:
        assert await (await connection.execute("SELECT count(*) FROM memory_uses")).fetchone() == (0,)
