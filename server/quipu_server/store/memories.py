"""Memories in PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import numpy as np

from quipu_server.domain import Memory, RequestKey, Revisions, Space, Vectors, Write
from quipu_server.errors import RequestIdReused
from quipu_server.filters import Condition
from quipu_server.ports import NEWEST, ListQuery, LogPart, Watched
from quipu_server.store import copy_format as binary
from quipu_server.store.appending import AnsweredBefore, append, append_each
from quipu_server.store.conditions import compile_condition
from quipu_server.store.database import Database
from quipu_server.store.links import Connection
from quipu_server.store.listing import compile_listing
from quipu_server.store.requests import claim_revisions, find_each, find_revisions
from quipu_server.store.rows import LIVE, MEMORY_COLUMNS, decode_vectors, to_memory
from quipu_server.store.unembedded import waiting_passages

_MEMORIES = f"SELECT {MEMORY_COLUMNS} FROM memory_revisions r"
_RANGE = f"{_MEMORIES} WHERE r.space_id = %s AND r.revision BETWEEN %s AND %s ORDER BY r.revision"
_THESE = f"{_MEMORIES} WHERE r.space_id = %s AND r.revision = ANY (%s::bigint[])"
_HYDRATE_PAST = f"""
{_MEMORIES} WHERE r.space_id = $1::uuid AND r.revision = ANY ($2::bigint[]) AND {LIVE}
AND (r.expire_time IS NULL OR r.expire_time > $3::timestamptz)
"""
_HYDRATE = f"{_HYDRATE_PAST} AND r.ended IS NULL"
_HISTORY = f"""
{_MEMORIES} WHERE r.space_id = $1::uuid AND r.memory_id = $2::text AND r.revision < $3::bigint
ORDER BY r.revision DESC LIMIT $4::bigint
"""
_LATEST = f"""
SELECT {MEMORY_COLUMNS} FROM unnest($2::text[]) AS wanted (memory_id)
CROSS JOIN LATERAL (
    SELECT * FROM memory_revisions r
    WHERE r.space_id = $1::uuid AND r.memory_id = wanted.memory_id AND r.revision <= $3::bigint
    ORDER BY r.revision DESC LIMIT 1
) r
"""
_NONCE = "(SELECT r.nonce FROM memory_revisions r WHERE r.space_id = %(space_id)s AND r.revision = %({revision})s)"
# Whether an erased memory met the condition, nobody knows any more: every follower is told.
_CHANGES = f"""
SELECT {_NONCE.format(revision="after")}, {_NONCE.format(revision="upto")}, changes.*
FROM (SELECT) always LEFT JOIN (
SELECT {MEMORY_COLUMNS}, NOT {{condition}} AND r.change <> 8, r.nonce
FROM memory_revisions r
WHERE r.space_id = %(space_id)s AND r.revision > %(after)s AND r.revision <= %(upto)s
AND ({{condition}} OR r.change = 8 OR EXISTS (
    SELECT FROM (SELECT r.memory_id, r.revision) made, memory_revisions r
    WHERE r.space_id = %(space_id)s AND r.memory_id = made.memory_id AND r.ended = made.revision AND r.change <> 3
    AND {{condition}}
))) changes ON true
ORDER BY changes.revision
"""
_VECTORS = """
SELECT count(*), string_agg(halfvec_send(embedding), '' ORDER BY chunk) FROM vectors
WHERE space_id = %s AND fingerprint = %s AND passage_id = %s
"""


class PostgresMemoryStore:
    """A `MemoryStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, space: Space, writes: Sequence[Write], request: RequestKey | None) -> Sequence[Memory]:
        try:
            async with self._database.transaction(space) as connection:
                made = await append(connection, space, writes, request)
            self._database.revisions_written += len(made)
            return made
        except AnsweredBefore as answered:
            async with self._database.transaction(space) as connection:
                return await _versions(connection, space, answered.first, answered.count)

    async def replay(self, space: Space, request: RequestKey) -> Sequence[Memory] | None:
        async with self._database.transaction(space) as connection:
            if (answered := await find_revisions(connection, space.id, request)) is None:
                return None
            return await _versions(connection, space, *answered)

    async def answer(self, space: Space, request: RequestKey, version: Memory) -> Memory:
        async with self._database.transaction(space) as connection:
            first, count = await claim_revisions(connection, space.id, request, version.revision, 1)
            return (await _versions(connection, space, first, count))[0]

    async def append_each(
        self, space: Space, writes: Sequence[Write], requests: Sequence[RequestKey]
    ) -> Sequence[Memory]:
        async with self._database.transaction(space) as connection:
            made = await append_each(connection, space, writes, requests)
        self._database.revisions_written += len(made)
        return made

    async def replay_each(
        self, space: Space, requests: Sequence[RequestKey]
    ) -> Mapping[UUID, Memory | RequestIdReused]:
        async with self._database.transaction(space) as connection:
            answers = await find_each(connection, space.id, requests)
            revisions = [answer for answer in answers.values() if isinstance(answer, int)]
            rows = await connection.execute(_THESE, (space.id, revisions), prepare=False)
            made = {memory.revision: memory for memory in map(to_memory, await rows.fetchall())}
            waiting = await waiting_passages(connection, space, [memory.passage_id for memory in made.values()])
        told = {r: replace(memory, is_waiting=memory.passage_id in waiting) for r, memory in made.items()}
        return {key: told[answer] if isinstance(answer, int) else answer for key, answer in answers.items()}

    async def latest(self, space: Space, memory_ids: Sequence[str], upto: int = NEWEST) -> Mapping[str, Memory]:
        found = await self._read(space, _LATEST, binary.text_array(memory_ids), binary.int8(upto))
        return {memory.memory_id: memory for memory in found}

    async def hydrate(
        self, space: Space, revisions: Revisions, now: datetime, *, past: bool = False
    ) -> Mapping[int, Memory]:
        wanted = (space.id.bytes, binary.int8_array(revisions), binary.timestamptz(now))
        rows = await self._database.fetch(space, _HYDRATE_PAST if past else _HYDRATE, *wanted)
        return {memory.revision: memory for memory in map(to_memory, rows)}

    async def vectors(self, space: Space, passage_id: UUID) -> Vectors:
        async with self._database.transaction(space) as connection, connection.cursor(binary=True) as cursor:
            await cursor.execute(_VECTORS, (space.id, space.fingerprint, passage_id), prepare=True)
            row = await cursor.fetchone()
        assert row is not None  # an aggregate always gives a row
        count, data = row
        return decode_vectors(data, count).astype(np.float32) if count else np.empty((0, 0), dtype=np.float32)

    async def list_memories(self, query: ListQuery) -> Sequence[Memory]:
        statement, parameters = compile_listing(query)
        async with self._database.transaction(query.space) as connection:
            rows = await connection.execute(statement, parameters, prepare=False)
            return [to_memory(row) for row in await rows.fetchall()]

    async def history(self, space: Space, memory_id: str, before: int, limit: int) -> Sequence[Memory]:
        return await self._read(space, _HISTORY, memory_id.encode(), binary.int8(before), binary.int8(limit))

    async def changes(self, space: Space, after: int, upto: int, condition: Condition | None) -> LogPart:
        predicate = compile_condition(condition)
        parameters = predicate.parameters | {"space_id": space.id, "after": after, "upto": upto}
        async with self._database.transaction(space) as connection, connection.cursor(binary=True) as cursor:
            await cursor.execute(_CHANGES.format(condition=predicate.sql), parameters, prepare=False)
            rows = await cursor.fetchall()
        before, last, *_ = rows[0]
        changes = [
            Watched(to_memory(version), left, nonce) for _, _, *version, left, nonce in rows if version[0] is not None
        ]
        return LogPart(changes, before or 0, last or 0)

    async def _read(self, space: Space, statement: str, *parameters: bytes) -> Sequence[Memory]:
        """Not prepared, as several indexes serve: a plan made while the table was small may have the wrong one."""
        rows = await self._database.fetch(space, statement, space.id.bytes, *parameters, prepared=False)
        return [to_memory(row) for row in rows]


async def _versions(connection: Connection, space: Space, first: int, count: int) -> Sequence[Memory]:
    rows = await connection.execute(_RANGE, (space.id, first, first + count - 1))
    return [to_memory(row) for row in await rows.fetchall()]
