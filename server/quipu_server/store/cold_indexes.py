"""Partial HNSW indexes over the vectors of single spaces."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256

from psycopg import sql

from quipu_server.domain import Space
from quipu_server.store.database import Database
from quipu_server.store.links import Connection
from quipu_server.store.rows import SPACE_COLUMNS, to_space

PREFIX = "cold_"
# Measured on real vectors: recall@10 of 0.99 needs M 32 and efConstruction 200; the defaults, 16 and 64, give 0.87.
_BUILD = """
CREATE INDEX CONCURRENTLY {name} ON quipu.vectors
USING hnsw ((embedding::public.halfvec({dimension})) public.halfvec_ip_ops)
WITH (m = 32, ef_construction = 200) WHERE space_id = {space_id} AND fingerprint = {fingerprint}
"""
# From the passage of a vector to its memories; other spaces need no such way, and do not pay for it.
_BUILD_WAY = """
CREATE INDEX CONCURRENTLY {name} ON quipu.memory_revisions (passage_id) WHERE space_id = {space_id}
"""
_IS_WHOLE = """
SELECT count(*) = 2 FROM pg_index WHERE indisvalid
AND indexrelid IN (to_regclass('quipu.' || %(vectors)s), to_regclass('quipu.' || %(way)s))
"""
_FOUND = """
SELECT c.relname, x.indisvalid FROM pg_class c JOIN pg_index x ON x.indexrelid = c.oid
WHERE c.relnamespace = 'quipu'::regnamespace AND c.relname LIKE 'cold\\_%'
"""
_LARGE = f"""
SELECT {SPACE_COLUMNS} FROM spaces s
WHERE EXISTS (SELECT FROM heads h WHERE h.space_id = s.space_id AND h.memory_count >= %s)
"""


def index_names(space: Space) -> tuple[str, str]:
    """Of the index over the vectors of a space, and of that which leads from them to the memories."""
    model = sha256(space.fingerprint.encode()).hexdigest()[:8]
    return f"{PREFIX}{space.id.hex}_{model}", f"{PREFIX}{space.id.hex}_way"


async def has_index(connection: Connection, space: Space) -> bool:
    """Whether both indexes of a space are there and whole."""
    vectors, way = index_names(space)
    row = await (await connection.execute(_IS_WHOLE, {"vectors": vectors, "way": way}, prepare=True)).fetchone()
    return bool(row and row[0])


class PostgresColdIndexes:
    """A `ColdIndexes`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def build(self, space: Space, dimension: int) -> None:
        values = {
            "space_id": sql.Literal(str(space.id)),
            "fingerprint": sql.Literal(space.fingerprint),
            "dimension": sql.Literal(dimension),
        }
        async with self._unhurried() as connection:
            found = await _indexes(connection)
            for left in found:
                if left.startswith(f"{PREFIX}{space.id.hex}") and not found[left]:
                    await _drop(connection, left)
            for name, statement in zip(index_names(space), (_BUILD, _BUILD_WAY), strict=True):
                if found.get(name):
                    await connection.execute(
                        sql.SQL("REINDEX INDEX CONCURRENTLY quipu.{}").format(sql.Identifier(name))
                    )
                else:
                    named = values | {"name": sql.Identifier(name)}
                    await connection.execute(sql.SQL(statement).format(**named))

    async def large_spaces(self, least: int) -> Sequence[Space]:
        async with self._database.unlocked() as connection:
            rows = await (await connection.execute(_LARGE, (least,))).fetchall()
            return [space for space in map(to_space, rows) if not await has_index(connection, space)]

    async def drop_unneeded(self, least: int) -> int:
        async with self._database.unlocked() as connection:
            rows = await (await connection.execute(_LARGE, (least,))).fetchall()
        async with self._unhurried() as connection:
            needed = {name for row in rows for name in index_names(to_space(row))}
            unneeded = [name for name in await _indexes(connection) if name not in needed]
            for name in unneeded:
                await _drop(connection, name)
            return len(unneeded)

    @asynccontextmanager
    async def _unhurried(self) -> AsyncIterator[Connection]:
        """A connection whose statements may take as long as they like, and have memory for a graph."""
        async with self._database.owner() as connection:
            try:
                await connection.execute("SET statement_timeout = 0")
                await connection.execute("SET maintenance_work_mem = '256MB'")
                # What a worker began that was killed must not go on beside its successor.
                await connection.execute("SET client_connection_check_interval = '1s'")
                yield connection
            finally:
                if not connection.closed:
                    for name in ("statement_timeout", "maintenance_work_mem", "client_connection_check_interval"):
                        await connection.execute(f"RESET {name}")


async def _indexes(connection: Connection) -> dict[str, bool]:
    """All such indexes, and whether they are whole."""
    return dict(await (await connection.execute(_FOUND)).fetchall())


async def _drop(connection: Connection, name: str) -> None:
    await connection.execute(sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS quipu.{}").format(sql.Identifier(name)))
