"""Destroys memories in PostgreSQL.

The rows of the log stay, as none may be missing: they are emptied, and share an empty text, one for each memory.
"""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from quipu_server.domain import Space
from quipu_server.errors import NotFound
from quipu_server.ports.erasing import Erased, Erasure, ErasureCounts, Traces
from quipu_server.store.conditions import Predicate, compile_condition
from quipu_server.store.database import Database
from quipu_server.store.links import Connection

_LOCK = "SELECT revision FROM heads WHERE space_id = %(space_id)s FOR UPDATE"
_HEAD = "SELECT revision FROM heads WHERE space_id = %(space_id)s"
_MATCHING = """
SELECT r.memory_id, r.change FROM memory_revisions r
WHERE r.space_id = %(space_id)s AND r.ended IS NULL AND r.change <> 8 AND {condition}
AND (%(memory_ids)s::text[] IS NULL OR r.memory_id = ANY (%(memory_ids)s::text[]))
ORDER BY r.memory_id LIMIT %(limit)s
"""
_VERSIONS = """
SELECT count(*), array_agg(DISTINCT r.passage_id),
       coalesce(array_agg(DISTINCT r.session) FILTER (WHERE r.session <> '' AND r.kind = 1), '{}')
FROM memory_revisions r
WHERE r.space_id = %(space_id)s AND r.memory_id = ANY (%(memory_ids)s::text[]) AND r.change <> 8
"""
_BY_PASSAGE = "{verb} FROM {table} WHERE space_id = %(space_id)s AND passage_id = ANY (%(passage_ids)s::uuid[])"
_BY_MEMORY = "{verb} FROM memory_uses WHERE space_id = %(space_id)s AND memory_id = ANY (%(memory_ids)s::text[])"
_TEXT_TABLES = {"waiting": "unembedded", "texts": "passages", "vectors": "vectors"}
"""In this order: who embeds a text takes it off those that wait, and has stored its vectors then, or finds it gone."""
_SPEAKING_SESSIONS = """
FROM sessions WHERE space_id = %(space_id)s AND session = ANY (%(sessions)s::text[])
AND (title <> '' OR summary <> '' OR metadata <> '{}')
"""
_EMPTY_SESSIONS = """
UPDATE sessions s SET title = '', summary = '', metadata = '{}', version = version + 1, update_time = now()
WHERE space_id = %(space_id)s AND session = ANY (%(sessions)s::text[])
AND (title <> '' OR summary <> '' OR metadata <> '{}')
"""
_EMPTY_TEXTS = """
INSERT INTO passages (space_id, passage_id, length, token_count, content, terms, frequencies)
SELECT %(space_id)s, passage_id, 0, 0, '', '{}', '{}' FROM unnest(%(empty_ids)s::uuid[]) AS e (passage_id)
"""
_EMPTY_VERSIONS = """
UPDATE memory_revisions r SET
    passage_id = e.passage_id, change = 8, importance = 0.5, importance_given = false, feedback = NULL,
    event_time = NULL, expire_time = NULL, role = 0, speaker = '', session = '', tags = '{}', metadata = '{}'
FROM unnest(%(memory_ids)s::text[], %(empty_ids)s::uuid[]) AS e (memory_id, passage_id)
WHERE r.space_id = %(space_id)s AND r.memory_id = e.memory_id AND r.change <> 8
"""
_TAKE_REVISIONS = """
UPDATE heads SET revision = revision + %(count)s, memory_count = memory_count - %(kept)s, erased = revision + %(count)s
WHERE space_id = %(space_id)s RETURNING revision - %(count)s
"""
_LAST_VERSIONS = """
WITH tombs AS (
    SELECT memory_id, %(first)s + place AS revision
    FROM unnest(%(memory_ids)s::text[]) WITH ORDINALITY AS t (memory_id, place)
), ended AS (
    UPDATE memory_revisions r SET ended = t.revision FROM tombs t
    WHERE r.space_id = %(space_id)s AND r.memory_id = t.memory_id AND r.ended IS NULL
    RETURNING t.revision AS tomb, r.*
)
INSERT INTO memory_revisions (
    space_id, revision, nonce, passage_id, importance, create_time, update_time, change, kind, created, role, memory_id,
    speaker, session, tags, metadata, importance_given
)
SELECT space_id, tomb, %(nonce)s, passage_id, 0.5, create_time, clock_timestamp(), 8, kind, created, 0, memory_id,
       '', '', '{}', '{}', false
FROM ended
"""
_LEFT = """
SELECT count(DISTINCT memory_id), count(*) FROM memory_revisions
WHERE space_id = %(space_id)s AND memory_id = ANY (%(memory_ids)s::text[]) AND change <> 8
"""
_TABLES = ("memory_revisions", "passages", "vectors", "unembedded", "memory_uses", "sessions")


class PostgresErasureStore:
    """An `ErasureStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def erase_some(self, space: Space, erasure: Erasure, limit: int) -> Erased:
        async with self._database.transaction(space) as connection:
            revision = await _revision(connection, space, _LOCK)
            found = await _matching(connection, space, erasure, limit)
            if not found:
                return Erased(Traces(), ErasureCounts(), revision)
            traces, versions = await _traces(connection, space, found, sessions=erasure.sessions)
            counts = await _each_layer(connection, space, traces, destroy=True)
            await _empty(connection, space, traces.memory_ids)
            revision = await _end(connection, space, found)
        self._database.revisions_written += len(found)
        return Erased(traces, counts + ErasureCounts(memories=len(found), versions=versions), revision)

    async def count(self, space: Space, erasure: Erasure) -> tuple[ErasureCounts, int]:
        async with self._database.transaction(space, snapshot=True) as connection:
            revision = await _revision(connection, space, _HEAD)
            found = await _matching(connection, space, erasure, None)
            traces, versions = await _traces(connection, space, found, sessions=erasure.sessions)
            counts = await _each_layer(connection, space, traces, destroy=False)
        return counts + ErasureCounts(memories=len(found), versions=versions), revision

    async def count_left(self, space: Space, traces: Traces) -> ErasureCounts:
        async with self._database.transaction(space) as connection:
            parameters = {"space_id": space.id, "memory_ids": list(traces.memory_ids)}
            row = await (await connection.execute(_LEFT, parameters, prepare=False)).fetchone()
            memories, versions = row or (0, 0)
            counts = await _each_layer(connection, space, traces, destroy=False)
        return counts + ErasureCounts(memories=memories, versions=versions)


async def vacuum(database: Database) -> None:
    """Let PostgreSQL write over the place of rows that were erased, and take them out of its indexes.

    Its planner samples values anew: it keeps the most common speakers, for example.
    """
    async with database.owner() as connection:
        await connection.execute("SET statement_timeout = 0")
        try:
            for table in _TABLES:
                await connection.execute(f"VACUUM (ANALYZE) {table}")
        finally:
            await connection.execute("RESET statement_timeout")


async def _revision(connection: Connection, space: Space, statement: str) -> int:
    row = await (await connection.execute(statement, {"space_id": space.id})).fetchone()
    if row is None:
        raise NotFound("space", space.resource_name)
    return int(row[0])


async def _matching(
    connection: Connection, space: Space, erasure: Erasure, limit: int | None
) -> Sequence[tuple[str, int]]:
    """Id and last change of memories that are to go."""
    predicate: Predicate = compile_condition(erasure.condition)
    named = None if erasure.memory_ids is None else list(erasure.memory_ids)
    parameters = predicate.parameters | {"space_id": space.id, "memory_ids": named, "limit": limit}
    rows = await connection.execute(_MATCHING.format(condition=predicate.sql), parameters, prepare=False)
    return await rows.fetchall()


async def _traces(
    connection: Connection, space: Space, found: Sequence[tuple[str, int]], *, sessions: bool
) -> tuple[Traces, int]:
    """What is known of memories, and how many versions they have."""
    memory_ids = [memory_id for memory_id, _ in found]
    parameters = {"space_id": space.id, "memory_ids": memory_ids}
    row = await (await connection.execute(_VERSIONS, parameters, prepare=False)).fetchone()
    versions, passage_ids, named = row or (0, None, ())
    return Traces(memory_ids, passage_ids or [], named if sessions else []), versions


async def _each_layer(connection: Connection, space: Space, traces: Traces, *, destroy: bool) -> ErasureCounts:
    """Count what there is beside the log, or destroy it and count what went."""
    parameters: Mapping[str, Any] = {
        "space_id": space.id,
        "memory_ids": list(traces.memory_ids),
        "passage_ids": list(traces.passage_ids),
        "sessions": list(traces.sessions),
    }
    verb = "DELETE" if destroy else "SELECT count(*)"
    statements = {layer: _BY_PASSAGE.format(verb=verb, table=table) for layer, table in _TEXT_TABLES.items()}
    statements["uses"] = _BY_MEMORY.format(verb=verb)
    statements["sessions"] = _EMPTY_SESSIONS if destroy else f"SELECT count(*) {_SPEAKING_SESSIONS}"
    counts = {}
    for layer, statement in statements.items():
        cursor = await connection.execute(statement, parameters, prepare=False)
        counts[layer] = cursor.rowcount if destroy else int((await cursor.fetchall())[0][0])
    return ErasureCounts(**counts)


async def _empty(connection: Connection, space: Space, memory_ids: Sequence[str]) -> None:
    """Leave nothing in the versions of memories."""
    empty_ids: list[UUID] = [uuid4() for _ in memory_ids]
    parameters = {"space_id": space.id, "memory_ids": list(memory_ids), "empty_ids": empty_ids}
    await connection.execute(_EMPTY_TEXTS, parameters, prepare=False)
    await connection.execute(_EMPTY_VERSIONS, parameters, prepare=False)


async def _end(connection: Connection, space: Space, found: Sequence[tuple[str, int]]) -> int:
    """Let the log tell of it; return the revision of the space."""
    kept = sum(change != 3 for _, change in found)
    taken = {"space_id": space.id, "count": len(found), "kept": kept}
    row = await (await connection.execute(_TAKE_REVISIONS, taken)).fetchone()
    assert row is not None  # it is locked
    (first,) = row
    memory_ids = [memory_id for memory_id, _ in found]
    tombs = {"space_id": space.id, "first": first, "memory_ids": memory_ids, "nonce": secrets.randbits(63)}
    await connection.execute(_LAST_VERSIONS, tombs, prepare=False)
    return int(first) + len(found)
