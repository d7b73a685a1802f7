"""The second lock: what a transaction sees is what it has entered, whatever its statements ask for."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import psycopg
import pytest
from psycopg import Rollback
from psycopg.sql import SQL, Identifier

import quipu_server
from quipu_server.access.domain import ApiKey, AuditEntry, Measure
from quipu_server.access.domain import Role as KeyRole
from quipu_server.access.ports import Account
from quipu_server.domain import Space, Write
from quipu_server.errors import NotFound
from quipu_server.ports.jobs import NewJob
from quipu_server.ports.retention import Action, Home, PolicySettings
from quipu_server.ports.sessions import SessionSettings
from quipu_server.store import Database
from quipu_server.store.access import PostgresAccessStore
from quipu_server.store.jobs import PostgresJobStore
from quipu_server.store.links import Connection
from quipu_server.store.policies import PostgresPolicyStore
from quipu_server.store.roles import SYSTEM_ROLE, TENANT_ROLE
from quipu_server.store.usage import PostgresUsageStore
from quipu_server.store.uses import PostgresUseStore
from tests.contract.stores import Stores, a_creation, a_passage, a_request, a_space

OF_NOBODY = {"schema_version"}
"""Tables that no tenant has anything in."""

BEYOND = {
    "access.audit_entries",
    "access.delete_tenant",
    "access.known_keys",
    "access.list_tenants",
    "cold_indexes._unhurried",
    "cold_indexes.drop_unneeded",
    "cold_indexes.large_spaces",
    "erasing.vacuum",
    "history.set_horizon",
    "history.spaces_with_history",
    "history.trim",
    "job_leases.take_over",
    "jobs.schedule",
    "jobs.trim_jobs",
    "jobs.within",
    "log.heads",
    "policies.tenants_with_policies",
    "requests.trim_requests",
    "unembedded.spaces_unembedded",
    "usage.add",
    "usage.now",
    "usage.trim_usage",
}
"""Whatever looks beyond one tenant: finding keys and heads, administration, trimming, schedules, counts of all."""

_TABLES = """
SELECT c.relname, c.relrowsecurity AND c.relforcerowsecurity, pg_get_userbyid(c.relowner),
       ARRAY(SELECT p.polname::text FROM pg_policy p WHERE p.polrelid = c.oid ORDER BY 1),
       ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname IN ('space_id', 'tenant')
             ORDER BY 1 DESC)
FROM pg_class c WHERE c.relnamespace = 'quipu'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname
"""
_ROLES = "SELECT rolname FROM pg_roles WHERE rolname = ANY (%s) AND (rolsuper OR rolbypassrls OR rolcanlogin)"


def later(memory_id: str) -> Write:
    """A memory whose text waits to be embedded."""
    empty = replace(a_passage("b"), vectors=np.empty((0, 8), np.float32), spans=np.empty((0, 2), np.int32))
    return replace(a_creation(memory_id), passage=empty, passage_id=empty.id)


@pytest.fixture
async def two(postgres_stores: Stores, database: Database) -> tuple[Space, Space]:
    """Spaces of two tenants, each of whom has rows in every table."""
    return await populated(postgres_stores, database, "one"), await populated(postgres_stores, database, "two")


async def populated(stores: Stores, database: Database, tenant: str) -> Space:
    space = await stores.spaces.create_space(a_space("notes", tenant), a_request())
    await stores.memories.append(space, [a_creation("a"), later("b")], a_request())
    await stores.sessions.set_session(space, "talk", SessionSettings("title"), 0, None)
    await PostgresUseStore(database).add_uses(space, {"a": 1})
    await PostgresJobStore(database).enqueue(NewJob(tenant, "kind"))
    await PostgresUsageStore(database).add({Account(tenant, "", Measure.REQUESTS, 60): 1}, 0)
    key = ApiKey(tenant, f"key-{tenant}", KeyRole.READ, b"digest")
    await PostgresPolicyStore(database).create_policy(Home(tenant, space), "old", PolicySettings(Action.ARCHIVE), None)
    await PostgresAccessStore(database).create_key(key, AuditEntry(tenant, "test", "CreateApiKey", "key"))
    return space


async def tables(database: Database) -> dict[str, str]:
    """The tables with rows of tenants, and the column that says whose they are."""
    async with database.unlocked() as connection:
        found = await (await connection.execute(_TABLES)).fetchall()
    return {name: columns[0] for name, *_, columns in found if name not in OF_NOBODY}


async def owners(connection: Connection, table: str, column: str) -> set[object]:
    """Whose rows a statement without any predicate shows."""
    query = SQL("SELECT {} FROM {}").format(Identifier(column), Identifier(table))
    return {owner for (owner,) in await (await connection.execute(query)).fetchall()}


def owner(space: Space, column: str) -> object:
    return space.tenant if column == "tenant" else space.id


async def test_every_table_is_locked(database: Database) -> None:
    """Also one that comes later: its migration calls `lock`."""
    async with database.unlocked() as connection:
        found = await (await connection.execute(_TABLES)).fetchall()
        roles = await (await connection.execute(_ROLES, ([TENANT_ROLE, SYSTEM_ROLE],))).fetchall()
    assert len(found) > 12
    for table, is_locked, owner, policies, columns in found:
        assert owner not in (TENANT_ROLE, SYSTEM_ROLE)
        if table not in OF_NOBODY:
            assert is_locked, table
            assert policies == ["entered", "system"], table
            assert columns, table
    assert roles == []


async def test_without_a_predicate_only_rows_of_the_tenant_are_seen(
    database: Database, two: tuple[Space, Space]
) -> None:
    for space in two:
        for table, column in (await tables(database)).items():
            async with database.unlocked() as connection:
                assert {owner(each, column) for each in two} <= await owners(connection, table, column), table
            async with database.transaction(space) as connection:
                assert await owners(connection, table, column) == {owner(space, column)}, table


async def test_without_a_predicate_only_rows_of_the_tenant_are_changed(
    database: Database, two: tuple[Space, Space]
) -> None:
    space, _ = two
    for table, column in (await tables(database)).items():
        names = {"t": Identifier(table), "c": Identifier(column)}
        async with database.unlocked() as connection:
            counted = SQL("SELECT count(*) FROM {t} WHERE {c} = %s").format(**names)
            row = await (await connection.execute(counted, (owner(space, column),))).fetchone()
        async with database.transaction(space) as connection:
            changed = await connection.execute(SQL("UPDATE {t} SET {c} = {c}").format(**names))
            removed = await connection.execute(SQL("DELETE FROM {t}").format(**names))
            assert row == (changed.rowcount,) == (removed.rowcount,) != (0,), table
            raise Rollback


async def test_rows_of_others_cannot_be_made(database: Database, two: tuple[Space, Space]) -> None:
    space, other = two
    for table, column in (await tables(database)).items():
        copied = SQL(
            "INSERT INTO {t} SELECT (jsonb_populate_record(r, jsonb_build_object({c}, %s::text))).* FROM {t} r"
        )
        given = SQL("UPDATE {t} SET {name} = %s")
        names = {"t": Identifier(table), "c": column, "name": Identifier(column)}
        for statement in (copied, given):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
                async with database.transaction(space) as connection:
                    await connection.execute(statement.format(**names), (owner(other, column),))


async def test_what_entered_nothing_is_refused(database: Database, two: tuple[Space, Space]) -> None:
    """Not all rows, and not none where there are some: an error."""
    pool = await database.pool()
    for table, column in (await tables(database)).items():
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="has entered no"):
            async with pool.connection() as connection:
                await owners(connection, table, column)


async def test_what_entered_a_tenant_sees_heads_of_its_spaces_but_nothing_in_them(
    database: Database, two: tuple[Space, Space]
) -> None:
    space, _ = two
    async with database.transaction(space.tenant) as connection:
        assert await owners(connection, "heads", "space_id") == {space.id}
    for table, column in (await tables(database)).items():
        if column == "space_id" and table not in ("heads", "spaces"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="has entered no space"):
                async with database.transaction(space.tenant) as connection:
                    await owners(connection, table, column)


async def test_a_space_of_another_tenant_cannot_be_entered(
    database: Database, postgres_stores: Stores, two: tuple[Space, Space]
) -> None:
    taken = replace(two[1], tenant=two[0].tenant)
    assert await postgres_stores.memories.latest(two[1], ["a"])
    assert await postgres_stores.memories.latest(taken, ["a"]) == {}
    assert await postgres_stores.memories.history(taken, "a", 100, 10) == []
    with pytest.raises(NotFound):
        await postgres_stores.memories.append(taken, [a_creation("c")], None)
    with pytest.raises(NotFound):
        await postgres_stores.spaces.delete_space(taken, force=True, request=None)
    async with database.transaction(taken) as connection:
        assert await owners(connection, "memory_revisions", "space_id") == set()


def test_few_ways_lead_past_the_lock() -> None:
    found = set()
    for path in Path(quipu_server.__file__).parent.rglob("*.py"):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(function, ast.AsyncFunctionDef | ast.FunctionDef) and _goes_beyond(function):
                found.add(f"{path.stem}.{function.name}")
    assert found == BEYOND


def _goes_beyond(function: ast.AST) -> bool:
    calls = [ast.unparse(node.func) for node in ast.walk(function) if isinstance(node, ast.Call)]
    ways = tuple(
        f"{holder}.{way}" for holder in ("database", "self") for way in ("unlocked", "owner", "fetch_unlocked")
    )
    return any(call.endswith(ways) for call in calls)
