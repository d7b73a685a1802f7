"""What policies are about, found in PostgreSQL."""

from collections.abc import Sequence

from quipu_server.domain import Memory, Revisions, Space
from quipu_server.ports.retention import Moment, Rule, Scope
from quipu_server.store.conditions import compile_condition
from quipu_server.store.database import Database
from quipu_server.store.listing import AS_OF, UNEXPIRED
from quipu_server.store.rows import LIVE, MEMORY_COLUMNS, decode_revisions, to_memory

_SCOPES = {
    Scope.IN_USE: f"{LIVE} AND {UNEXPIRED}",
    Scope.KEPT: "r.change NOT IN (3, 8)",
    Scope.ARCHIVED: "r.change = 6",
}
# Sessions by what ended them: their end, or their last message.
_IDLE = f"""
r.kind = 1 AND r.session IN (
    SELECT r.session FROM memory_revisions r
    LEFT JOIN sessions s ON s.space_id = %(space_id)s AND s.session = r.session
    WHERE r.space_id = %(space_id)s AND r.session <> '' AND r.kind = 1 AND r.change NOT IN (3, 8) AND {AS_OF}
    GROUP BY r.session
    HAVING coalesce(max(s.end_time), max(coalesce(r.event_time, r.create_time))) <= %(idle_since)s
)
"""
_MEETING = """
SELECT string_agg(int8send(r.revision), '' ORDER BY
    NOT {unexpired} DESC, r.change = 6 DESC, r.importance, coalesce(r.event_time, r.create_time), r.memory_id
)
FROM memory_revisions r WHERE r.space_id = %(space_id)s AND {as_of} AND {scope} AND {condition} AND {idle}
"""
_STILL_CURRENT = f"""
SELECT {MEMORY_COLUMNS} FROM memory_revisions r
WHERE r.space_id = %s AND r.revision = ANY (%s::bigint[]) AND r.ended IS NULL ORDER BY r.revision
"""


class PostgresRetentionStore:
    """A `RetentionStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def meeting(self, space: Space, rule: Rule, moment: Moment) -> Revisions:
        predicate = compile_condition(rule.condition)
        statement = _MEETING.format(
            unexpired=UNEXPIRED,
            as_of=AS_OF,
            scope=_SCOPES[rule.scope],
            condition=predicate.sql,
            idle="TRUE" if rule.idle_since is None else _IDLE,
        )
        own = {"space_id": space.id, "idle_since": rule.idle_since, **moment._asdict()}
        async with self._database.transaction(space) as connection, connection.cursor(binary=True) as cursor:
            await connection.execute("SET LOCAL statement_timeout = 0")
            await cursor.execute(statement, predicate.parameters | own, prepare=False)
            row = await cursor.fetchone()
        return decode_revisions(row[0] if row else None)

    async def still_current(self, space: Space, revisions: Revisions) -> Sequence[Memory]:
        async with self._database.transaction(space) as connection, connection.cursor(binary=True) as cursor:
            await cursor.execute(_STILL_CURRENT, (space.id, revisions.tolist()), prepare=False)
            return [to_memory(row) for row in await cursor.fetchall()]
