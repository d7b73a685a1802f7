"""Plain PostgreSQL and pgvector, on a cluster of their own: what one would write by hand."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.psycopg import register_vector_async

from quipu_server.domain import MemoryFields, Vector, Vectors
from quipu_server.store import EmbeddedPostgres

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

EF_SEARCHES = (10, 20, 40, 80, 160, 320, 640, 1_000)
"""Values of hnsw.ef_search to try, up to the highest that pgvector takes."""

_TABLE = """
CREATE TABLE {name} (
    memory_id text PRIMARY KEY, speaker text NOT NULL, session text NOT NULL, event_time timestamptz,
    content text NOT NULL, embedding halfvec({dimension}) NOT NULL
)
"""
_TYPES = ["text", "text", "text", "timestamptz", "text", "halfvec"]
_INDEX = "CREATE INDEX ON {name} USING hnsw (embedding halfvec_ip_ops) WITH (m = 16, ef_construction = 64)"
_NEAREST = "SELECT memory_id FROM {name} ORDER BY embedding <#> %b LIMIT 10"


@asynccontextmanager
async def rival(home: Path) -> AsyncIterator["Rival"]:
    """A cluster with the settings of the embedded one, in an empty directory."""
    cluster = EmbeddedPostgres(home)
    conninfo = await cluster.ensure_running()
    try:
        async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
            await connection.execute("CREATE EXTENSION vector")
            # With many candidates the planner would rather go through the table.
            await connection.execute("SET enable_seqscan = off")
            await register_vector_async(connection)
            yield Rival(connection)
    finally:
        await cluster.stop()


class Rival:
    """Tables of memories."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def fill(self, name: str, memories: Sequence[MemoryFields], vectors: Vectors | NDArray[np.float16]) -> float:
        """Make a table and COPY the memories into it, in one transaction; the seconds the COPY took."""
        await self._connection.execute(_TABLE.format(name=name, dimension=vectors.shape[1]))
        started = time.perf_counter()
        copying = f"COPY {name} FROM STDIN (FORMAT BINARY)"
        async with self._connection.cursor() as cursor, cursor.copy(copying) as copy:
            copy.set_types(_TYPES)
            for number, (memory, vector) in enumerate(zip(memories, vectors, strict=True)):
                facts = (memory.speaker, memory.session, memory.event_time, memory.content)
                await copy.write_row((f"m{number}", *facts, HalfVector(vector)))
        return time.perf_counter() - started

    async def index(self, name: str) -> None:
        """Build the HNSW index of a table, as pgvector does by default."""
        await self._connection.execute(_INDEX.format(name=name))

    async def set_build_memory(self, megabytes: int) -> None:
        """Let the building of an index use so much memory; a graph that does not fit is built many times slower."""
        await self._connection.execute(f"SET maintenance_work_mem = '{megabytes}MB'")

    async def set_ef_search(self, value: int) -> None:
        """Let searches consider so many candidates."""
        await self._connection.execute(f"SET hnsw.ef_search = {value}")

    async def nearest(self, name: str, vector: Vector) -> Sequence[int]:
        """The numbers in the ids of the ten nearest."""
        cursor = await self._connection.execute(_NEAREST.format(name=name), (HalfVector(vector),), prepare=True)
        return [int(row[0][1:]) for row in await cursor.fetchall()]
