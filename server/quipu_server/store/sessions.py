"""Sessions in PostgreSQL: what they have beside their messages, and messages in their order."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from psycopg import Rollback
from psycopg.types.json import Jsonb

from quipu_server.domain import Change, Memory, RequestKey, Space, Write
from quipu_server.errors import NotFound
from quipu_server.ports.sessions import (
    Message,
    MessageQuery,
    Place,
    Session,
    SessionQuery,
    SessionSettings,
)
from quipu_server.store.appending import append
from quipu_server.store.database import Database
from quipu_server.store.links import Connection
from quipu_server.store.listing import AS_OF
from quipu_server.store.metadata import encode_value
from quipu_server.store.requests import answer_space_request, claim_space_request, find_revisions
from quipu_server.store.rows import MEMORY_COLUMNS, to_memory
from quipu_server.store.session_listing import MESSAGE, UNEXPIRED, find_session, list_sessions

_INSERT = """
INSERT INTO sessions SELECT %(space_id)s, %(name)s, 1, %(title)s, %(summary)s, %(metadata)s, now(), now(), NULL
WHERE %(expected)s = 0 ON CONFLICT DO NOTHING
"""
_UPDATE = """
UPDATE sessions SET title = %(title)s, summary = %(summary)s, metadata = %(metadata)s, version = version + 1,
       update_time = now()
WHERE space_id = %(space_id)s AND session = %(name)s AND version = %(expected)s
"""
_END = """
INSERT INTO sessions VALUES (%(space_id)s, %(name)s, 1, '', '', '{}', now(), now(), clock_timestamp())
ON CONFLICT (space_id, session) DO UPDATE
SET end_time = clock_timestamp(), update_time = now(), version = sessions.version + 1 WHERE sessions.end_time IS NULL
"""
_LOCK = "SELECT revision FROM heads WHERE space_id = %s FOR UPDATE"
_DELETE = "DELETE FROM sessions WHERE space_id = %s AND session = %s"
# Archived ones, too.
_ALL = f"""
SELECT {MEMORY_COLUMNS} FROM memory_revisions r
WHERE r.space_id = %s AND r.session = %s AND r.ended IS NULL AND r.kind = 1 AND r.change NOT IN (3, 8)
ORDER BY r.created
"""
_PAGE = f"""
SELECT {MEMORY_COLUMNS}, (
    SELECT p.token_count FROM passages p WHERE p.space_id = r.space_id AND p.passage_id = r.passage_id
)
FROM (
    SELECT * FROM memory_revisions r
    WHERE r.space_id = %(space_id)s AND r.session = %(session)s AND r.created {{beyond}} %(after)s AND {AS_OF}
    AND {MESSAGE} AND {UNEXPIRED}
    ORDER BY r.created {{direction}} LIMIT %(limit)s
) r ORDER BY r.created {{direction}}
"""
_OLDEST_PAGE = _PAGE.format(beyond=">", direction="ASC")
_NEWEST_PAGE = _PAGE.format(beyond="<", direction="DESC")
_NEIGHBOUR = f"""
(
    SELECT r.revision FROM memory_revisions r
    WHERE r.space_id = %(space_id)s AND r.session = hit.session AND r.created {{beyond}} hit.created AND {AS_OF}
    AND {MESSAGE} AND {UNEXPIRED}
    ORDER BY r.created {{direction}} LIMIT %(reach)s
)
"""
_NEIGHBOURS = f"""
SELECT {MEMORY_COLUMNS} FROM memory_revisions r
WHERE r.space_id = %(space_id)s AND r.revision = ANY (ARRAY(
    SELECT DISTINCT near.revision FROM unnest(%(sessions)s::text[], %(created)s::bigint[]) AS hit (session, created)
    CROSS JOIN LATERAL (
        {_NEIGHBOUR.format(beyond="<", direction="DESC")} UNION ALL {_NEIGHBOUR.format(beyond=">", direction="ASC")}
    ) near
))
"""
_KEEP_COUNTS = """
UPDATE passages p SET token_count = counted.tokens
FROM unnest(%s::uuid[], %s::integer[]) AS counted (passage_id, tokens)
WHERE p.space_id = %s AND p.passage_id = counted.passage_id
AND NOT EXISTS (SELECT FROM heads h WHERE h.space_id = p.space_id AND h.fingerprint <> %s)
"""
_BEFORE_ALL, _AFTER_ALL = 0, 2**63 - 1


class PostgresSessionStore:
    """A `SessionStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_session(self, space: Space, name: str) -> Session | None:
        async with self._database.transaction(space) as connection:
            return await find_session(connection, space, name)

    async def list_sessions(self, query: SessionQuery) -> Sequence[Session]:
        async with self._database.transaction(query.space) as connection:
            return await list_sessions(connection, query)

    async def set_session(
        self, space: Space, name: str, settings: SessionSettings, expected: int, request: RequestKey | None
    ) -> bool:
        metadata = Jsonb({key: encode_value(value) for key, value in settings.metadata.items()})
        values = {"space_id": space.id, "name": name, "expected": expected, "title": settings.title}
        values |= {"summary": settings.summary, "metadata": metadata}
        is_stored = False
        async with self._database.transaction(space) as connection:
            if request and await claim_space_request(connection, space.tenant, request) is not None:
                return True
            is_stored = (await connection.execute(_UPDATE if expected else _INSERT, values)).rowcount > 0
            if not is_stored:
                raise Rollback  # a claim without an answer must not stay
            if request:
                await answer_space_request(connection, space.tenant, request, {})
        return is_stored

    async def end_session(self, space: Space, name: str) -> None:
        async with self._database.transaction(space) as connection:
            await _lock(connection, space)
            if await find_session(connection, space, name) is None:
                raise NotFound("session", f"{space.resource_name}/sessions/{name}")
            await connection.execute(_END, {"space_id": space.id, "name": name})

    async def delete_session(self, space: Space, name: str, request: RequestKey | None) -> tuple[int, int]:
        async with self._database.transaction(space) as connection:
            head = await _lock(connection, space)
            if request and (answered := await find_revisions(connection, space.id, request)) is not None:
                first, count = answered
                return count, first + count - 1
            rows = await (await connection.execute(_ALL, (space.id, name), prepare=False)).fetchall()
            removed = await connection.execute(_DELETE, (space.id, name))
            if not rows and not removed.rowcount:
                raise NotFound("session", f"{space.resource_name}/sessions/{name}")
            made = await append(connection, space, [_deletion(to_memory(row)) for row in rows], request)
            return len(made), head + len(made)

    async def list_messages(self, query: MessageQuery) -> Sequence[Message]:
        statement, edge = (_NEWEST_PAGE, _AFTER_ALL) if query.newest_first else (_OLDEST_PAGE, _BEFORE_ALL)
        parameters = {
            "space_id": query.space.id,
            "session": query.session,
            "after": edge if query.after is None else query.after,
            "revision": query.revision,
            "limit": query.limit,
        }
        async with self._database.transaction(query.space) as connection, connection.cursor(binary=True) as cursor:
            await cursor.execute(statement, parameters, prepare=False)
            return [Message(to_memory(memory), tokens) for *memory, tokens in await cursor.fetchall()]

    async def keep_counts(self, space: Space, counts: Mapping[UUID, int]) -> None:
        async with self._database.transaction(space) as connection:
            values = (list(counts), list(counts.values()), space.id, space.fingerprint)
            await connection.execute(_KEEP_COUNTS, values, prepare=False)

    async def neighbours(self, space: Space, places: Sequence[Place], reach: int, revision: int) -> Sequence[Memory]:
        parameters = {
            "space_id": space.id,
            "sessions": [place.session for place in places],
            "created": [place.created for place in places],
            "reach": reach,
            "revision": revision,
        }
        async with self._database.transaction(space) as connection, connection.cursor(binary=True) as cursor:
            await cursor.execute(_NEIGHBOURS, parameters, prepare=False)
            return [to_memory(row) for row in await cursor.fetchall()]


async def _lock(connection: Connection, space: Space) -> int:
    """Keep writers out until the transaction ends; return the revision of the space. Raises NotFound."""
    row = await (await connection.execute(_LOCK, (space.id,))).fetchone()
    if row is None:
        raise NotFound("space", space.resource_name)
    return int(row[0])


def _deletion(memory: Memory) -> Write:
    return Write(memory.memory_id, Change.DELETED, memory.fields, memory.passage_id, memory.revision)
