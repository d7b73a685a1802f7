"""The logs of the spaces in PostgreSQL, as an index follows them."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from uuid import UUID

from quipu_server.domain import Head, IndexRow, Revisions, Space, Tail
from quipu_server.filters import Condition
from quipu_server.store import copy_format as binary
from quipu_server.store.conditions import compile_condition
from quipu_server.store.database import Database
from quipu_server.store.listing import AS_OF
from quipu_server.store.rows import INDEX_COLUMNS, LIVE, VECTORS, decode_revisions, to_index_row

SNAPSHOT_BATCH = 500
"""Rows decoded in one go, about 5 ms; others have the event loop in between."""

_HEADS = """
SELECT h.space_id, h.revision, clock_timestamp(), (SELECT s.version FROM spaces s WHERE s.space_id = h.space_id),
       coalesce((SELECT r.nonce FROM memory_revisions r WHERE r.space_id = h.space_id AND r.revision = h.revision), 0),
       h.memory_count, h.oldest, h.erased
FROM heads h WHERE h.space_id = ANY ($1::uuid[])
"""
_NONCE = "SELECT nonce FROM memory_revisions WHERE space_id = %s AND revision = %s"
_ROWS = f"""
SELECT {INDEX_COLUMNS}
FROM (
    SELECT * FROM memory_revisions r
    WHERE r.space_id = %(space_id)s AND r.revision > %(after)s AND {{rows}}
    ORDER BY r.revision LIMIT %(limit)s
) r
CROSS JOIN LATERAL (
    SELECT * FROM passages p WHERE p.space_id = r.space_id AND p.passage_id = r.passage_id LIMIT 1
) p
{VECTORS}
ORDER BY r.revision
"""
_SNAPSHOT = _ROWS.format(rows=f"{AS_OF} AND {LIVE}")
_TAIL = _ROWS.format(rows="r.revision <= %(revision)s")
_MATCHING = f"""
SELECT string_agg(int8send(r.revision), '' ORDER BY r.revision) FROM memory_revisions r
WHERE r.space_id = %(space_id)s AND {AS_OF} AND {LIVE} AND {{condition}}
"""


class PostgresLog:
    """A `LogSource`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def heads(self, space_ids: Sequence[UUID]) -> Mapping[UUID, Head]:
        asked_s = time.monotonic()
        rows = await self._database.fetch_unlocked(_HEADS, binary.uuid_array(space_ids))
        return {
            key: Head(at, now, version, nonce, count, asked_s, oldest, erased)
            for key, at, now, version, nonce, count, oldest, erased in rows
        }

    async def snapshot(self, space: Space, revision: int) -> AsyncIterator[Sequence[IndexRow]]:
        after = 0
        while rows := await self._rows(_SNAPSHOT, space, after, revision, SNAPSHOT_BATCH):
            yield rows
            after = rows[-1].revision

    async def nonce(self, space: Space, revision: int) -> int:
        async with self._database.transaction(space) as connection, connection.cursor(binary=True) as cursor:
            row = await (await cursor.execute(_NONCE, (space.id, revision), prepare=True)).fetchone()
        return row[0] if row else 0

    async def tail(self, space: Space, after: int, upto: int, limit: int) -> Tail:
        # With the row before: a read of its own might see another history.
        rows = await self._rows(_TAIL, space, after - 1, upto, limit + 1)
        if rows and rows[0].revision == after:
            return Tail(rows[1:], rows[0].nonce)
        return Tail(rows[:limit], 0)

    async def matching(self, space: Space, condition: Condition, revision: int) -> Revisions:
        predicate = compile_condition(condition)
        statement = _MATCHING.format(condition=predicate.sql)
        parameters = predicate.parameters | {"space_id": space.id, "revision": revision}
        async with self._database.transaction(space) as connection, connection.cursor(binary=True) as cursor:
            row = await (await cursor.execute(statement, parameters, prepare=False)).fetchone()
        return decode_revisions(row[0] if row else None)

    async def _rows(self, statement: str, space: Space, after: int, revision: int, limit: int) -> Sequence[IndexRow]:
        parameters = {
            "space_id": space.id,
            "fingerprint": space.fingerprint,
            "after": after,
            "revision": revision,
            "limit": limit,
        }
        async with self._database.transaction(space) as connection, connection.cursor(binary=True) as cursor:
            await cursor.execute(statement, parameters, prepare=True)
            return [to_index_row(row) for row in await cursor.fetchall()]
