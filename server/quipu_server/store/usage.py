"""What callers use, added up in PostgreSQL for all servers."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from quipu_server.access.domain import Measure
from quipu_server.access.ports import Account, Counts, UsageMeter
from quipu_server.domain import Change, Memory, RequestKey, Space, Write
from quipu_server.store.database import Database
from quipu_server.store.memories import PostgresMemoryStore

_ADD = """
INSERT INTO usage_counts (tenant, key_id, measure, window_s, number, count)
SELECT tenant, key_id, measure, window_s, floor(%(now)s / window_s), count
FROM unnest(%(tenants)s::text[], %(keys)s::text[], %(measures)s::text[], %(windows)s::integer[], %(counts)s::bigint[])
    AS used (tenant, key_id, measure, window_s, count)
ORDER BY tenant, key_id, measure, window_s  -- all servers in one order, so that none waits for another in a circle
ON CONFLICT (tenant, key_id, measure, window_s, number) DO UPDATE SET count = usage_counts.count + excluded.count
RETURNING tenant, key_id, measure, window_s, count, coalesce((
    SELECT b.count FROM usage_counts b
    WHERE (b.tenant, b.key_id, b.measure, b.window_s) =
          (usage_counts.tenant, usage_counts.key_id, usage_counts.measure, usage_counts.window_s)
    AND b.number = usage_counts.number - 1
), 0)
"""
_FREE = (Change.DELETED, Change.ARCHIVED)
_TRIM = "DELETE FROM usage_counts WHERE (number + 2) * window_s < extract(epoch FROM now())"


class PostgresUsageStore:
    """A `UsageStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def now(self) -> float:
        async with self._database.unlocked() as connection:
            row = await (await connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8")).fetchone()
        assert row is not None
        return float(row[0])

    async def add(self, used: Mapping[Account, int], now: float) -> Mapping[Account, Counts]:
        parameters = {
            "now": now,
            "tenants": [account.tenant for account in used],
            "keys": [account.key_id for account in used],
            "measures": [account.measure.value for account in used],
            "windows": [account.window_s for account in used],
            "counts": list(used.values()),
        }
        async with self._database.unlocked() as connection:
            rows = await (await connection.execute(_ADD, parameters)).fetchall()
        return {
            Account(tenant, key_id, Measure(measure), window_s): Counts(current, previous)
            for tenant, key_id, measure, window_s, current, previous in rows
        }


class MeteredMemoryStore(PostgresMemoryStore):
    """A `MemoryStore` that counts the memories that callers store; deletions and archiving are free."""

    def __init__(self, database: Database, meter: UsageMeter) -> None:
        super().__init__(database)
        self._meter = meter

    async def append(self, space: Space, writes: Sequence[Write], request: RequestKey | None) -> Sequence[Memory]:
        with metered(self._meter, writes):
            return await super().append(space, writes, request)

    async def append_each(
        self, space: Space, writes: Sequence[Write], requests: Sequence[RequestKey]
    ) -> Sequence[Memory]:
        with metered(self._meter, writes):
            return await super().append_each(space, writes, requests)


@contextmanager
def metered(meter: UsageMeter, writes: Sequence[Write]) -> Iterator[None]:
    """Check before, and count after what was stored. Raises QuotaExceeded."""
    count = sum(write.change not in _FREE for write in writes)
    if count:
        meter.check(Measure.MEMORIES)
    yield
    if count:
        meter.spend(Measure.MEMORIES, count)


async def trim_usage(database: Database) -> int:
    """Forget windows that no limit looks at any more; return how many."""
    async with database.unlocked() as connection:
        return (await connection.execute(_TRIM)).rowcount
