"""Vectors of several models for one space in PostgreSQL."""

from collections.abc import Sequence
from typing import Any

import psycopg

from quipu_server.domain import EmbeddedText, Space, TextToEmbed
from quipu_server.errors import Conflict, NotFound
from quipu_server.ports.models import Missing
from quipu_server.store.appending import copy_vectors
from quipu_server.store.database import Database
from quipu_server.store.links import Connection
from quipu_server.store.rows import MEMORY_COLUMNS, SPACE_COLUMNS, to_memory, to_space

_COUNT = """
SELECT (SELECT count(*) FROM vectors WHERE space_id = %(space_id)s AND fingerprint = %(fingerprint)s AND chunk = 0),
       (SELECT count(*) FROM passages WHERE space_id = %(space_id)s)
"""
_HEAD = "SELECT revision FROM heads WHERE space_id = %s"
_MISSING = """
    FROM memory_revisions r
    WHERE r.space_id = %(space_id)s AND r.revision > %(after)s
    AND NOT EXISTS (
        SELECT FROM vectors v
        WHERE v.space_id = r.space_id AND v.fingerprint = %(fingerprint)s AND v.passage_id = r.passage_id
    )
    AND NOT EXISTS (SELECT FROM unembedded u WHERE u.space_id = r.space_id AND u.passage_id = r.passage_id)
"""
_NEXT = f"""
SELECT {MEMORY_COLUMNS} FROM (SELECT * {_MISSING} ORDER BY r.revision LIMIT %(limit)s) r ORDER BY r.revision
"""
_DEFER = f"""
INSERT INTO unembedded (space_id, passage_id, dimension, memory_id)
SELECT DISTINCT ON (r.passage_id) r.space_id, r.passage_id, %(dimension)s, r.memory_id {_MISSING} ORDER BY r.passage_id
"""
_COUNT_MISSING = f"SELECT count(DISTINCT r.passage_id) {_MISSING}"
_KEEP = "SELECT FROM passages WHERE space_id = %s AND passage_id = ANY (%s) FOR KEY SHARE"
"""Nobody removes the passages until the transaction ends."""
_LOCK = "SELECT FROM heads WHERE space_id = %s FOR UPDATE"
_CHANGE_HEAD = "UPDATE heads SET fingerprint = %(fingerprint)s WHERE space_id = %(space_id)s"
_CHANGE_SPACE = f"""
UPDATE spaces s SET model = %(model)s, fingerprint = %(fingerprint)s, previous_model = s.model, version = version + 1,
       update_time = clock_timestamp()
WHERE space_id = %(space_id)s AND version = %(version)s RETURNING {SPACE_COLUMNS}
"""
_CHANGE_DIMENSION = "UPDATE unembedded SET dimension = %(dimension)s WHERE space_id = %(space_id)s"
_FORGET_COUNTS = "UPDATE passages SET token_count = NULL WHERE space_id = %s AND token_count IS NOT NULL"
_FORGET_PREVIOUS = """
UPDATE spaces SET previous_model = '', version = version + 1, update_time = clock_timestamp()
WHERE space_id = %s AND previous_model <> ''
"""
# By the key: the model that the space has is read in the same statement, so that its vectors are never among them.
_DROP = """
DELETE FROM vectors WHERE ctid = ANY (ARRAY(
    SELECT v.ctid FROM vectors v JOIN spaces s ON s.space_id = v.space_id
    WHERE v.space_id = %s AND v.fingerprint <> s.fingerprint LIMIT %s
))
"""


class PostgresModelStore:
    """A `ModelStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count_vectors(self, target: Space) -> tuple[int, int]:
        async with self._database.transaction(target) as connection:
            await _take_time(connection)
            row = await (await connection.execute(_COUNT, _key(target), prepare=False)).fetchone()
        return (row[0], row[1]) if row else (0, 0)

    async def head(self, space: Space) -> int:
        async with self._database.transaction(space) as connection:
            row = await (await connection.execute(_HEAD, (space.id,))).fetchone()
        if row is None:
            raise NotFound("space", space.resource_name)
        return int(row[0])

    async def next_missing(self, target: Space, after: int, limit: int) -> Sequence[Missing]:
        async with self._database.transaction(target) as connection:
            await _take_time(connection)
            values = _key(target) | {"after": after, "limit": limit}
            memories = [to_memory(row) for row in await (await _run(connection, _NEXT, values)).fetchall()]
        first = {memory.passage_id: memory for memory in reversed(memories)}
        return [
            Missing(memory.revision, memory.passage_id, TextToEmbed(memory.fields.content, memory.fields.header))
            for memory in memories
            if first[memory.passage_id] is memory
        ]

    async def add_vectors(self, target: Space, missing: Sequence[Missing], made: Sequence[EmbeddedText]) -> None:
        vectors = {one.passage_id: (text.vectors, text.spans) for one, text in zip(missing, made, strict=True)}
        try:
            async with self._database.transaction(target) as connection:
                kept = await connection.execute(_KEEP, (target.id, list(vectors)), prepare=False)
                if kept.rowcount != len(vectors):
                    raise Conflict("some of the texts are gone")
                await copy_vectors(connection, target, vectors)
        except psycopg.errors.UniqueViolation as error:
            raise Conflict("somebody else has embedded some of them") from error

    async def cut_over(self, space: Space, target: Space, dimension: int, seen: int, may_wait: int) -> Space | None:
        values = _key(target) | {"after": seen, "dimension": dimension, "model": target.model, "version": space.version}
        async with self._database.transaction(space) as connection:
            await _take_time(connection)
            await connection.execute(_LOCK, (space.id,))
            ((missing,),) = await (await _run(connection, _COUNT_MISSING, values)).fetchall()
            if missing > may_wait:
                return None
            changed = await (await _run(connection, _CHANGE_SPACE, values)).fetchone()
            if changed is None:
                return None
            if missing:
                await _run(connection, _DEFER, values)
            for statement in (_CHANGE_DIMENSION, _CHANGE_HEAD):
                await _run(connection, statement, values)
            return to_space(changed)

    async def forget_token_counts(self, space: Space) -> None:
        async with self._database.transaction(space) as connection:
            await _take_time(connection)
            await connection.execute(_FORGET_COUNTS, (space.id,))

    async def forget_previous(self, space: Space) -> None:
        async with self._database.transaction(space) as connection:
            await connection.execute(_FORGET_PREVIOUS, (space.id,))

    async def drop_other_vectors(self, space: Space, limit: int) -> int:
        async with self._database.transaction(space) as connection:
            await _take_time(connection)
            return (await connection.execute(_DROP, (space.id, limit), prepare=False)).rowcount


def _key(target: Space) -> dict[str, object]:
    return {"space_id": target.id, "fingerprint": target.fingerprint}


async def _run(
    connection: Connection, statement: str, values: dict[str, object]
) -> psycopg.AsyncCursor[tuple[Any, ...]]:
    """Not prepared: a plan for a small space would go through a large one row by row."""
    return await connection.execute(statement, values, prepare=False)


async def _take_time(connection: Connection) -> None:
    """Let the transaction go through a large space."""
    await connection.execute("SET LOCAL statement_timeout = 0")
