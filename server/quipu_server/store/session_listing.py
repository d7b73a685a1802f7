"""Sessions with their statistics, one or page by page."""

from collections.abc import Sequence
from typing import Any

from quipu_server.domain import Role, Space
from quipu_server.ports.sessions import MessageStatistics, Session, SessionQuery, SessionSettings
from quipu_server.store.links import Connection
from quipu_server.store.metadata import decode_metadata
from quipu_server.store.rows import LIVE

MESSAGE = f"r.session <> '' AND r.kind = 1 AND {LIVE}"
"""Whether a memory_revisions r is a message, in the words of the index of messages."""

UNEXPIRED = "(r.expire_time IS NULL OR r.expire_time > statement_timestamp())"
_TIME = "coalesce(r.event_time, r.create_time)"
_ROLE_COUNTS = ", ".join(f"count(*) FILTER (WHERE r.role = {role.value})" for role in Role)

_SESSIONS = f"""
SELECT coalesce(s.session, m.session), coalesce(s.title, ''), coalesce(s.summary, ''), coalesce(s.metadata, '{{{{}}}}'),
       coalesce(s.version, 0), s.end_time, coalesce(m.count, 0), coalesce(m.roles, '{{{{}}}}'), coalesce(m.tokens, 0),
       coalesce(m.uncounted, 0), m.first_time, m.last_time, coalesce(m.newest, 0)
FROM (SELECT * FROM sessions s WHERE s.space_id = %(space_id)s AND {{s_named}}) s
FULL JOIN (
    SELECT r.session, count(*), ARRAY[{_ROLE_COUNTS}] AS roles, sum(p.token_count)::bigint AS tokens,
           count(*) - count(p.token_count) AS uncounted, min({_TIME}) AS first_time, max({_TIME}) AS last_time,
           max(r.created) AS newest
    FROM memory_revisions r JOIN passages p ON p.space_id = r.space_id AND p.passage_id = r.passage_id
    WHERE r.space_id = %(space_id)s AND r.ended IS NULL AND {MESSAGE} AND {UNEXPIRED} AND {{r_named}}
    GROUP BY r.session
) m ON m.session = s.session
"""
_FIND = _SESSIONS.format(s_named="s.session = %(name)s", r_named="r.session = %(name)s")
_THESE = _SESSIONS.format(s_named="s.session = ANY (%(names)s)", r_named="r.session = ANY (%(names)s)")
_ALL = _SESSIONS.format(s_named="TRUE", r_named="TRUE")
_NEWEST, _NAME = "coalesce(m.newest, 0)", "coalesce(s.session, m.session)"

# One probe of the index for each name: a space may have millions of messages.
_NEXT = """
SELECT r.session FROM memory_revisions r
WHERE r.space_id = %(space_id)s AND r.session > {after} AND r.session <> '' AND r.kind = 1 ORDER BY r.session LIMIT 1
"""
_NAMES = f"""
WITH RECURSIVE named (session) AS (
    ({_NEXT.format(after="%(name)s")})
    UNION ALL
    SELECT next.session FROM named CROSS JOIN LATERAL ({_NEXT.format(after="named.session")}) next
)
(SELECT session FROM named LIMIT %(limit)s)
UNION
(
    SELECT s.session FROM sessions s WHERE s.space_id = %(space_id)s AND s.session > %(name)s
    ORDER BY s.session LIMIT %(limit)s
)
ORDER BY session LIMIT %(limit)s
"""
_STATES = {None: "TRUE", True: "s.end_time IS NOT NULL", False: "s.end_time IS NULL"}
_AFTER = f"({_NEWEST} < %(newest)s OR ({_NEWEST} = %(newest)s AND {_NAME} > %(name)s))"
_FIRST = 2**63 - 1


async def find_session(connection: Connection, space: Space, name: str) -> Session | None:
    """The session; None when it has neither messages nor anything beside them."""
    rows = await connection.execute(_FIND, {"space_id": space.id, "name": name}, prepare=False)
    row = await rows.fetchone()
    return None if row is None else _to_session(row)


async def list_sessions(connection: Connection, query: SessionQuery) -> Sequence[Session]:
    """One page. By activity, all messages of the space are read for it."""
    state, (newest, name) = _STATES[query.ended], query.after or (_FIRST, "")
    parameters = {"space_id": query.space.id, "newest": newest, "name": name, "limit": query.limit}
    if query.by_activity:
        page = f"{_ALL} WHERE {_AFTER} AND {state} ORDER BY {_NEWEST} DESC, {_NAME} LIMIT %(limit)s"
        rows = await connection.execute(page, parameters, prepare=False)
        return [_to_session(row) for row in await rows.fetchall()]
    found: list[Session] = []
    while len(found) < query.limit:
        names = [row[0] for row in await (await connection.execute(_NAMES, parameters, prepare=False)).fetchall()]
        these = f"{_THESE} WHERE {state} ORDER BY {_NAME}"
        rows = await connection.execute(these, {"space_id": query.space.id, "names": names}, prepare=False)
        found += [_to_session(row) for row in await rows.fetchall()]
        if len(names) < query.limit:
            break
        parameters["name"] = names[-1]
    return found[: query.limit]


def _to_session(row: Sequence[Any]) -> Session:
    name, title, summary, metadata, version, end_time, count, roles, *rest = row
    token_count, uncounted, first_time, last_time, newest = rest
    by_role = {role: number for role, number in zip(Role, roles, strict=False) if number}
    statistics = MessageStatistics(count, by_role, token_count, uncounted, first_time, last_time, newest)
    return Session(name, SessionSettings(title, summary, decode_metadata(metadata)), statistics, version, end_time)
