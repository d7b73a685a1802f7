"""Removing versions that ended long ago from PostgreSQL."""

from collections.abc import Sequence
from uuid import UUID

from quipu_server.ports.history import Trimmed
from quipu_server.store.database import Database

_SPACES = "SELECT space_id FROM heads WHERE space_id > %s ORDER BY space_id LIMIT %s"
# A version that tells of vectors (5) keeps the time of the one before.
_HORIZON = """
UPDATE heads h SET oldest = greatest(h.oldest, coalesce((
    SELECT r.revision FROM memory_revisions r
    WHERE r.space_id = %(space_id)s AND r.change <> 5
    AND r.update_time < clock_timestamp() - make_interval(secs => 86400 * %(days)s)
    ORDER BY r.revision DESC LIMIT 1
), 0)) WHERE h.space_id = %(space_id)s RETURNING h.oldest
"""
# A text belongs to versions of one memory, so its other versions are found by the memory.
_TRIM = """
WITH old AS (
    SELECT r.revision FROM memory_revisions r
    WHERE r.space_id = %(space_id)s AND r.revision > %(after)s AND r.revision < %(horizon)s AND r.ended <= %(horizon)s
    ORDER BY r.revision LIMIT %(limit)s
), removed AS (
    DELETE FROM memory_revisions r USING old WHERE r.space_id = %(space_id)s AND r.revision = old.revision
    RETURNING r.revision, r.memory_id, r.passage_id
)
SELECT revision, memory_id, passage_id FROM removed ORDER BY revision
"""
_UNUSED = """
SELECT DISTINCT o.passage_id FROM unnest(%(memory_ids)s::text[], %(passage_ids)s::uuid[]) AS o (memory_id, passage_id)
WHERE NOT EXISTS (
    SELECT FROM memory_revisions r
    WHERE r.space_id = %(space_id)s AND r.memory_id = o.memory_id AND r.passage_id = o.passage_id
)
"""
_TEXT_TABLES = ("vectors", "unembedded", "passages")


class PostgresHistoryStore:
    """A `HistoryStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def spaces_with_history(self, after: UUID, limit: int) -> Sequence[UUID]:
        async with self._database.unlocked() as connection:
            rows = await (await connection.execute(_SPACES, (after, limit))).fetchall()
        return [space_id for (space_id,) in rows]

    async def set_horizon(self, space_id: UUID, days: float) -> int:
        async with self._database.unlocked() as connection:
            cursor = await connection.execute(_HORIZON, {"space_id": space_id, "days": days}, prepare=False)
            row = await cursor.fetchone()
        return int(row[0]) if row else 0

    async def trim(self, space_id: UUID, horizon: int, after: int, limit: int) -> Trimmed:
        bounds = {"space_id": space_id, "horizon": horizon, "after": after, "limit": limit}
        async with self._database.unlocked() as connection:
            rows = await (await connection.execute(_TRIM, bounds, prepare=False)).fetchall()
            texts = {
                "space_id": space_id,
                "memory_ids": [memory_id for _, memory_id, _ in rows],
                "passage_ids": [passage_id for _, _, passage_id in rows],
            }
            unused = await (await connection.execute(_UNUSED, texts, prepare=False)).fetchall()
            passage_ids = [passage_id for (passage_id,) in unused]
            for table in _TEXT_TABLES:
                condition = "space_id = %s AND passage_id = ANY (%s)"
                await connection.execute(
                    f"DELETE FROM {table} WHERE {condition}", (space_id, passage_ids), prepare=False
                )
        return Trimmed(len(rows), rows[-1][0] if len(rows) == limit else None)
