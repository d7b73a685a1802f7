"""Databases that others run: what the account of the server may, and what somebody above it must do."""

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from quipu_server.domain import Space
from quipu_server.errors import StartupError
from quipu_server.store import Database, EmbeddedPostgres, PostgresMemoryStore, PostgresSpaceStore
from quipu_server.store.backup import back_up, restore
from quipu_server.store.cold_indexes import PostgresColdIndexes, has_index
from quipu_server.store.erasing import vacuum
from quipu_server.store.history import PostgresHistoryStore
from quipu_server.store.schema import prepare
from tests.contract.stores import DIMENSION, NOBODY, a_creation, a_space
from tests.postgres import connected, prepared_at_once


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[str]:
    """A PostgreSQL that has never seen the roles; the address is its administrator's."""
    postgres = EmbeddedPostgres(tmp_path / "data")
    yield await postgres.ensure_running()
    await postgres.stop()


async def execute(address: str, *statements: str) -> None:
    async with await psycopg.AsyncConnection.connect(address, autocommit=True) as connection:
        for statement in statements:
            await connection.execute(statement)


async def account(server: str, name: str, rights: str = "") -> str:
    """The address of a new account with a database of its own."""
    await execute(server, f"CREATE ROLE {name} LOGIN {rights}", f"CREATE DATABASE {name} OWNER {name}")
    await execute(make_conninfo(server, dbname=name), "CREATE EXTENSION vector")
    return make_conninfo(server, user=name, dbname=name)


async def work(database: Database) -> Space:
    """Everything that needs another right."""
    space = await PostgresSpaceStore(database).create_space(a_space(), None)
    await PostgresMemoryStore(database).append(space, [a_creation(f"m{i}") for i in range(20)], None)
    assert len(await PostgresMemoryStore(database).latest(space, ["m1", "m2"])) == 2
    indexes, history = PostgresColdIndexes(database), PostgresHistoryStore(database)
    assert [large.id for large in await indexes.large_spaces(10)] == [space.id]
    await indexes.build(space, DIMENSION)
    async with database.transaction(space) as connection:
        assert await has_index(connection, space)
    assert await indexes.drop_unneeded(100) == 2
    assert list(await history.spaces_with_history(NOBODY, 10)) == [space.id]
    await vacuum(database)
    return space


async def test_an_account_that_may_make_roles_needs_nobody(server: str, tmp_path: Path) -> None:
    address = await account(server, "maker", "CREATEROLE")
    async with connected(address) as database:
        space = await work(database)
        # What owns the tables is held by their policies as well.
        async with database.owner() as connection:
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="has entered no space"):
                await connection.execute("SELECT * FROM memory_revisions")
    made = await back_up(address, tmp_path / "backup")
    assert made.tables["quipu.memory_revisions"][0] == 20
    other = await account(server, "restorer", "CREATEROLE")
    with pytest.raises(StartupError, match="cannot become quipu_tenant and quipu_system"):
        await restore(other, tmp_path / "backup")
    await execute(server, "GRANT quipu_tenant, quipu_system TO restorer WITH INHERIT FALSE, SET TRUE")
    await restore(other, tmp_path / "backup")
    async with connected(other) as database:
        assert set(await PostgresMemoryStore(database).latest(space, ["m1"])) == {"m1"}


async def test_an_account_that_may_not_says_what_to_run(server: str) -> None:
    address = await account(server, "guest")
    with pytest.raises(StartupError, match="have an administrator of PostgreSQL run: ") as caught:
        await prepare(address)
    await execute(server, *str(caught.value).partition(" run: ")[2].split("; "))
    async with connected(address) as database:
        await work(database)


async def test_roles_that_pass_policies_by_are_refused(server: str) -> None:
    await prepare(server)
    await execute(server, "ALTER ROLE quipu_tenant BYPASSRLS")
    with pytest.raises(StartupError, match="does not hold quipu_tenant"):
        await prepare(server)


async def test_replicas_that_start_at_once_make_the_roles_once(server: str) -> None:
    addresses = [server, await account(server, "first", "SUPERUSER")]
    await prepared_at_once(*addresses, *addresses)
