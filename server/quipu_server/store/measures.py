"""What is measured of the database."""

from collections.abc import Iterable, Mapping

from quipu_server.measuring import Sample
from quipu_server.measuring.metrics import (
    DATABASE_READY,
    POOL_CONNECTIONS,
    POOL_LIMIT,
    POOL_WAIT_SECONDS,
    POOL_WAITING,
    POOL_WAITS,
    REVISIONS,
)


def samples_of(pool: Mapping[str, int], is_ready: bool, limit: int, revisions: int) -> Iterable[Sample]:
    """pool: statistics of psycopg_pool; empty without a pool."""
    size, idle = pool.get("pool_size", 0), pool.get("pool_available", 0)
    yield DATABASE_READY.of(is_ready)
    yield POOL_CONNECTIONS.of(idle, "idle")
    yield POOL_CONNECTIONS.of(max(0, size - idle), "busy")
    yield POOL_LIMIT.of(limit)
    yield POOL_WAITING.of(pool.get("requests_waiting", 0))
    yield POOL_WAITS.of(pool.get("requests_queued", 0))
    yield POOL_WAIT_SECONDS.of(pool.get("requests_wait_ms", 0) / 1e3)
    yield REVISIONS.of(revisions)
