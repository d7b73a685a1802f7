"""Spaces in PostgreSQL."""

from collections.abc import Sequence
from uuid import UUID

from psycopg import Rollback
from psycopg.types.json import Jsonb

from quipu_server.domain import RequestKey, Space, SpaceStatus
from quipu_server.errors import AlreadyExists, FailedPrecondition, NotFound
from quipu_server.store.database import Database
from quipu_server.store.links import Connection
from quipu_server.store.requests import answer_space_request, claim_space_request, find_space_answer
from quipu_server.store.rows import (
    SPACE_COLUMNS,
    decode_space,
    encode_ranking,
    encode_space,
    to_space,
    to_space_status,
)

_FIND = f"SELECT {SPACE_COLUMNS} FROM spaces s WHERE tenant = $1::text AND name = $2::text"
_FIND_AGAIN = _FIND.replace("$1", "%s").replace("$2", "%s")
_KEEP_TENANT = "SELECT FROM tenants WHERE tenant = %s FOR KEY SHARE"
"""Nobody deletes the tenant until the transaction ends: a space must not outlive it."""
_INSERT = f"""
INSERT INTO spaces AS s VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, now(), now())
ON CONFLICT (tenant, name) DO NOTHING RETURNING {SPACE_COLUMNS}
"""
_INSERT_HEAD = "INSERT INTO heads VALUES (%s, 0, 0)"
_UPDATE = f"""
UPDATE spaces s SET display_name = %s, ranking = %s, version = version + 1, update_time = clock_timestamp()
WHERE space_id = %s AND version = %s RETURNING {SPACE_COLUMNS}
"""
_STATUS = f"""
SELECT {SPACE_COLUMNS}, h.revision, h.memory_count FROM spaces s
CROSS JOIN LATERAL (SELECT revision, memory_count FROM heads h WHERE h.space_id = s.space_id LIMIT 1) h
"""
_LOCK = "SELECT memory_count FROM heads WHERE space_id = %s FOR UPDATE"
_TABLES = (
    "memory_uses",
    "vectors",
    "unembedded",
    "passages",
    "memory_revisions",
    "sessions",
    "requests",
    "retention_policies",
    "heads",
    "spaces",
)


class PostgresSpaceStore:
    """A `SpaceStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_space(self, tenant: str, name: str) -> Space | None:
        rows = await self._database.fetch(tenant, _FIND, tenant.encode(), name.encode())
        return to_space(rows[0]) if rows else None

    async def create_space(self, space: Space, request: RequestKey | None) -> Space:
        async with self._database.transaction(space.tenant) as connection:
            if request and (answer := await claim_space_request(connection, space.tenant, request)) is not None:
                return decode_space(answer)
            if (made := await _insert(connection, space)) is None:
                raise AlreadyExists("space", space.resource_name)
            if request:
                await answer_space_request(connection, space.tenant, request, encode_space(made))
            return made

    async def ensure_space(self, space: Space) -> Space:
        while True:
            async with self._database.transaction(space.tenant) as connection:
                found = await _insert(connection, space) or await _find_again(connection, space.tenant, space.name)
            if found is not None:  # None: it was deleted between the two
                return found

    async def update_space(self, space: Space, expected_version: int, request: RequestKey | None) -> Space | None:
        made = None
        async with self._database.transaction(space) as connection:
            if request and (answer := await claim_space_request(connection, space.tenant, request)) is not None:
                return decode_space(answer)
            values = (space.display_name, Jsonb(encode_ranking(space.ranking)), space.id, expected_version)
            row = await (await connection.execute(_UPDATE, values)).fetchone()
            if row is None:
                raise Rollback  # a claim without an answer must not stay
            made = to_space(row)
            if request:
                await answer_space_request(connection, space.tenant, request, encode_space(made))
        return made

    async def delete_space(self, space: Space, *, force: bool, request: RequestKey | None) -> int:
        async with self._database.transaction(space) as connection:
            if request and (answer := await claim_space_request(connection, space.tenant, request)) is not None:
                return int(answer["memory_count"])
            count = await _lock(connection, space)
            if count and not force:
                message = f"the space {space.name!r} has {count} memories; force deletes them as well"
                metadata = {"memory_count": str(count)}
                raise FailedPrecondition(space.resource_name, message, reason="SPACE_NOT_EMPTY", metadata=metadata)
            await _erase(connection, [space.id])
            if request:
                await answer_space_request(connection, space.tenant, request, {"memory_count": count})
            return count

    async def keep_missing(self, tenant: str, request: RequestKey) -> None:
        async with self._database.transaction(tenant) as connection:
            if await claim_space_request(connection, tenant, request) is None:
                await answer_space_request(connection, tenant, request, {"missing": True})

    async def was_missing(self, tenant: str, request: RequestKey) -> bool:
        async with self._database.transaction(tenant) as connection:
            return await find_space_answer(connection, tenant, request) is not None

    async def space_status(self, space: Space) -> SpaceStatus:
        async with self._database.transaction(space) as connection:
            row = await (await connection.execute(f"{_STATUS} WHERE space_id = %s", (space.id,))).fetchone()
        if row is None:
            raise NotFound("space", space.resource_name)
        return to_space_status(row)

    async def list_spaces(
        self, tenant: str, after: str, limit: int, prefixes: Sequence[str] = ()
    ) -> Sequence[SpaceStatus]:
        allowed = "EXISTS (SELECT FROM unnest(%s::text[]) AS p (prefix) WHERE starts_with(name, prefix))"
        query = f"{_STATUS} WHERE tenant = %s AND name > %s AND {allowed} ORDER BY name LIMIT %s"
        async with self._database.transaction(tenant) as connection:
            values = (tenant, after, list(prefixes) or [""], limit)
            rows = await (await connection.execute(query, values)).fetchall()
        return [to_space_status(row) for row in rows]


async def _find_again(connection: Connection, tenant: str, name: str) -> Space | None:
    row = await (await connection.execute(_FIND_AGAIN, (tenant, name), prepare=True)).fetchone()
    return None if row is None else to_space(row)


async def _insert(connection: Connection, space: Space) -> Space | None:
    """Store a space and its head; None if there is one with its name. Raises NotFound when its tenant is gone."""
    if (await connection.execute(_KEEP_TENANT, (space.tenant,))).rowcount == 0:
        raise NotFound("tenant", f"tenants/{space.tenant}")
    values = (
        space.id,
        space.tenant,
        space.name,
        space.model,
        space.fingerprint,
        space.language,
        space.display_name,
        Jsonb(encode_ranking(space.ranking)),
        space.version,
    )
    row = await (await connection.execute(_INSERT, values)).fetchone()
    if row is None:
        return None
    await connection.execute(_INSERT_HEAD, (space.id,))
    return to_space(row)


async def _lock(connection: Connection, space: Space) -> int:
    """Keep writers out until the transaction ends; return the number of memories. Raises NotFound."""
    row = await (await connection.execute(_LOCK, (space.id,))).fetchone()
    if row is None:
        raise NotFound("space", space.resource_name)
    return int(row[0])


async def _erase(connection: Connection, space_ids: Sequence[UUID]) -> None:
    """Delete every row of spaces. A writer that waits for a head finds its space gone and stores nothing."""
    await connection.execute("SET LOCAL statement_timeout = 0")
    for table in _TABLES:
        await connection.execute(f"DELETE FROM {table} WHERE space_id = ANY (%s)", (list(space_ids),))


async def erase_spaces(connection: Connection, tenant: str) -> None:
    """Delete every space of a tenant, in the transaction of the connection."""
    lock = "SELECT space_id FROM heads WHERE space_id = ANY (%s) ORDER BY space_id FOR UPDATE"
    found = await connection.execute("SELECT space_id FROM spaces WHERE tenant = %s", (tenant,))
    space_ids = [space_id for (space_id,) in await found.fetchall()]
    await connection.execute(lock, (space_ids,))
    await _erase(connection, space_ids)
