"""That data of an older schema reads as data that was written with the newest one."""

from pathlib import Path

import psycopg

from quipu_server.store import Database, PostgresMemoryStore, PostgresSpaceStore, schema
from tests.contract.stores import a_creation, a_space
from tests.postgres import Cluster, connected, prepared_at_once

FIRST = Path(schema.MIGRATIONS) / "versions" / "0001_log.py"

_SPACE = """
INSERT INTO quipu.spaces VALUES (%s, 'default', %s, 'model', 'fingerprint', 'en', '', '{}', 1, now(), now())
"""
_HEAD = "INSERT INTO quipu.heads VALUES (%s, 5, 2)"
_REVISION = """
INSERT INTO quipu.memory_revisions (
    space_id, revision, ended, nonce, passage_id, importance, create_time, update_time, change, kind, role, memory_id,
    speaker, session, tags, metadata
) VALUES (%s, %s, %s, 1, gen_random_uuid(), 0.5, now(), now(), %s, 1, 0, %s, '', 's', '{}', '{}')
"""
_NEWER_SPACE = """
INSERT INTO quipu.spaces VALUES (%s, %s, %s, 'model', 'fingerprint', 'en', '', '{}', 1, now(), now())
"""
_REVISION_0007 = """
INSERT INTO quipu.memory_revisions (
    space_id, revision, ended, nonce, passage_id, importance, create_time, update_time, change, kind, role, memory_id,
    speaker, session, tags, metadata, created, importance_given
) VALUES (%s, %s, %s, 1, gen_random_uuid(), 0.5, now(), now(), %s, 1, 0, %s, '', 's', '{}', '{}', 1, false)
"""
OLD = [(1, 3, 1, "a"), (2, 5, 1, "b"), (3, 4, 3, "a"), (4, None, 1, "a"), (5, None, 2, "b")]
"""Revision, end, change and memory: the first is deleted and its id taken again, the second is updated."""


def migrated_to_first(url: str) -> None:
    """Make the schema as the first migration leaves it."""
    text = FIRST.read_text("utf-8")
    statements = text.split('SCHEMA = """')[1].split('"""')[0]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA quipu")
        connection.execute(statements)
        connection.execute("CREATE TABLE quipu.schema_version (version_num varchar(32) PRIMARY KEY)")
        connection.execute("INSERT INTO quipu.schema_version VALUES ('0001')")


async def created(database: Database) -> list[int]:
    async with database.unlocked() as connection:
        rows = await connection.execute("SELECT created FROM memory_revisions ORDER BY revision")
        return [revision for (revision,) in await rows.fetchall()]


async def test_what_was_stored_before_knows_what_created_it(cluster: Cluster) -> None:
    space = a_space()
    async with cluster.empty_database("template1") as url:
        migrated_to_first(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_SPACE, (space.id, space.name))
            connection.execute(_HEAD, (space.id,))
            for revision, ended, change, memory_id in OLD:
                connection.execute(_REVISION, (space.id, revision, ended, change, memory_id))
        async with connected(url) as database:
            assert await created(database) == [1, 2, 1, 4, 2]
            found = await PostgresSpaceStore(database).find_space("default", space.name)
            assert found is not None
            (memory,) = await PostgresMemoryStore(database).append(found, [a_creation("c")], None)
            assert memory.created == memory.revision == 6


async def test_what_was_stored_before_the_policies_is_behind_them(cluster: Cluster) -> None:
    """Replicas that start at once upgrade it."""
    mine, other = a_space(), a_space(tenant="two")
    async with cluster.empty_database("template1") as url:
        schema._upgrade(url, "0007")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("INSERT INTO quipu.tenants VALUES ('two', '', '{}', now(), now())")
            for space in (mine, other):
                connection.execute(_NEWER_SPACE, (space.id, space.tenant, space.name))
                connection.execute(_HEAD, (space.id,))
                for revision, ended, change, memory_id in OLD:
                    connection.execute(_REVISION_0007, (space.id, revision, ended, change, memory_id))
        await prepared_at_once(url, url, url)
        async with connected(url) as database:
            for space in (mine, other):
                assert await PostgresSpaceStore(database).find_space(space.tenant, space.name) is not None
                async with database.transaction(space) as connection:
                    found = await connection.execute("SELECT DISTINCT space_id FROM memory_revisions")
                    assert await found.fetchall() == [(space.id,)]
                assert len(await PostgresMemoryStore(database).latest(space, ["a", "b"])) == 2
                await PostgresMemoryStore(database).append(space, [a_creation("c")], None)
