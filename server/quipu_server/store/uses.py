"""How often memories were found, in PostgreSQL."""

from collections.abc import Mapping, Sequence

from quipu_server.domain import Space
from quipu_server.ports.uses import Use
from quipu_server.store.database import Database

# In the order of ids, so that two servers cannot wait for each other.
_ADD = """
INSERT INTO memory_uses AS u (space_id, memory_id, use_count, last_use_time)
SELECT s.space_id, added.memory_id, added.use_count, now()
FROM spaces s CROSS JOIN unnest(%s::text[], %s::bigint[]) AS added (memory_id, use_count)
WHERE s.space_id = %s ORDER BY added.memory_id
ON CONFLICT (space_id, memory_id)
DO UPDATE SET use_count = u.use_count + excluded.use_count, last_use_time = excluded.last_use_time
"""
_USES = """
SELECT memory_id, use_count, last_use_time FROM memory_uses WHERE space_id = %s AND memory_id = ANY (%s::text[])
"""


class PostgresUseStore:
    """A `UseStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_uses(self, space: Space, counts: Mapping[str, int]) -> None:
        async with self._database.transaction(space) as connection:
            await connection.execute(_ADD, (list(counts), list(counts.values()), space.id), prepare=False)

    async def uses(self, space: Space, memory_ids: Sequence[str]) -> Mapping[str, Use]:
        async with self._database.transaction(space) as connection:
            rows = await connection.execute(_USES, (space.id, list(memory_ids)), prepare=False)
            return {memory_id: Use(count, time) for memory_id, count, time in await rows.fetchall()}
