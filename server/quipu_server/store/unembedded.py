"""Passages without vectors in PostgreSQL."""

from collections.abc import Sequence, Set
from uuid import UUID

import psycopg

from quipu_server.domain import Change, EmbeddedText, Memory, Space, TextToEmbed, Write
from quipu_server.errors import Conflict
from quipu_server.ports.embedding_later import Unembedded
from quipu_server.store.appending import append, check_model, copy_vectors
from quipu_server.store.database import Database
from quipu_server.store.links import Connection
from quipu_server.store.rows import MEMORY_COLUMNS, SPACE_COLUMNS, to_memory, to_space

_SPACES = f"""
SELECT {SPACE_COLUMNS} FROM spaces s WHERE EXISTS (SELECT FROM unembedded u WHERE u.space_id = s.space_id) LIMIT %s
"""
_WAITING = "SELECT passage_id FROM unembedded WHERE space_id = %s AND passage_id = ANY (%s::uuid[])"
_COUNT = "SELECT count(*) FROM unembedded WHERE space_id = %s"
# The header is that of any version that has the passage: versions share it only if they have the same.
_NEXT = f"""
SELECT {MEMORY_COLUMNS}
FROM (SELECT * FROM unembedded WHERE space_id = %s ORDER BY passage_id LIMIT %s) u
CROSS JOIN LATERAL (
    SELECT * FROM memory_revisions r
    WHERE r.space_id = u.space_id AND r.memory_id = u.memory_id AND r.passage_id = u.passage_id
    ORDER BY r.revision DESC LIMIT 1
) r
"""
_CURRENT = f"""
SELECT {MEMORY_COLUMNS} FROM unnest(%s::text[]) AS wanted (memory_id)
CROSS JOIN LATERAL (
    SELECT * FROM memory_revisions r
    WHERE r.space_id = %s AND r.memory_id = wanted.memory_id ORDER BY r.revision DESC LIMIT 1
) r
"""
_TAKE_OFF = "DELETE FROM unembedded WHERE space_id = %s AND passage_id = ANY (%s)"
_HEAD = "SELECT revision, fingerprint FROM heads WHERE space_id = %s"


class PostgresUnembeddedStore:
    """An `UnembeddedStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def spaces_unembedded(self, limit: int) -> Sequence[Space]:
        async with self._database.unlocked() as connection:
            return [to_space(row) for row in await (await connection.execute(_SPACES, (limit,))).fetchall()]

    async def count_unembedded(self, space: Space) -> int:
        async with self._database.transaction(space) as connection:
            return await count_unembedded(connection, space)

    async def next_unembedded(self, space: Space, limit: int) -> Sequence[Unembedded]:
        async with self._database.transaction(space) as connection:
            rows = await (await connection.execute(_NEXT, (space.id, limit), prepare=False)).fetchall()
        return [_to_unembedded(to_memory(row)) for row in rows]

    async def store_vectors(self, space: Space, found: Sequence[Unembedded], made: Sequence[EmbeddedText]) -> int:
        passages = {one.passage_id: one for one in found}
        vectors = {one.passage_id: (text.vectors, text.spans) for one, text in zip(found, made, strict=True)}
        try:
            async with self._database.transaction(space) as connection:
                await copy_vectors(connection, space, vectors)
                current = await _current(connection, space, [one.memory_id for one in found])
                writes = [_embedded(memory) for memory in current if memory.passage_id in passages]
                await append(connection, space, [write for write in writes if write.expected], None)
                taken = await connection.execute(_TAKE_OFF, (space.id, list(passages)))
                if taken.rowcount != len(passages):
                    raise Conflict("somebody else has embedded some of them")
                row = await (await connection.execute(_HEAD, (space.id,))).fetchone()
                check_model(space, row[1] if row else None)
                return int(row[0]) if row else 0
        except psycopg.errors.UniqueViolation as error:
            raise Conflict("somebody else has embedded some of them") from error


async def waiting_passages(connection: Connection, space: Space, passage_ids: Sequence[UUID]) -> Set[UUID]:
    """Those of the passages that have no vectors yet."""
    rows = await connection.execute(_WAITING, (space.id, list(passage_ids)), prepare=False)
    return {passage_id for (passage_id,) in await rows.fetchall()}


async def count_unembedded(connection: Connection, space: Space) -> int:
    """How many passages of a space have no vectors."""
    row = await (await connection.execute(_COUNT, (space.id,), prepare=True)).fetchone()
    return int(row[0]) if row else 0


async def _current(connection: Connection, space: Space, memory_ids: Sequence[str]) -> Sequence[Memory]:
    distinct = list(dict.fromkeys(memory_ids))
    rows = await connection.execute(_CURRENT, (distinct, space.id), prepare=False)
    return [to_memory(row) for row in await rows.fetchall()]


def _embedded(memory: Memory) -> Write:
    """The write that tells of its vectors; it expects nothing if the memory is not live, and is not needed then."""
    expected = memory.revision if memory.change.is_live else 0
    return Write(memory.memory_id, Change.EMBEDDED, memory.fields, memory.passage_id, expected)


def _to_unembedded(memory: Memory) -> Unembedded:
    text = TextToEmbed(memory.fields.content, memory.fields.header)
    return Unembedded(memory.passage_id, memory.memory_id, text)
