"""What makes mutations idempotent: which requests were answered, and how."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from quipu_server.domain import RequestKey
from quipu_server.errors import RequestIdReused
from quipu_server.store.database import Database
from quipu_server.store.links import Connection

_CLAIM = "INSERT INTO space_requests (tenant, request_id, digest) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
_ANSWER = "SELECT digest, answer FROM space_requests WHERE tenant = %s AND request_id = %s"
_SET_ANSWER = "UPDATE space_requests SET answer = %s WHERE tenant = %s AND request_id = %s"
_FIND = "SELECT digest, first_revision, revision_count FROM requests WHERE space_id = %s AND request_id = %s"
_FIND_EACH = "SELECT request_id, digest, first_revision FROM requests WHERE space_id = %s AND request_id = ANY (%s)"
_RECORD_EACH = """
INSERT INTO requests (space_id, request_id, digest, first_revision, revision_count)
SELECT %s, request_id, digest, %s + place, 1 FROM unnest(%s::uuid[], %s::bytea[])
WITH ORDINALITY AS given (request_id, digest, place)
"""
_RECORD = """
INSERT INTO requests (space_id, request_id, digest, first_revision, revision_count) VALUES (%s, %s, %s, %s, %s)
"""


async def claim_space_request(connection: Connection, tenant: str, request: RequestKey) -> Mapping[str, Any] | None:
    """Take a request on a space, waiting for one that runs with the same id; its answer if it was answered before.

    Raises RequestIdReused.
    """
    claimed = await connection.execute(_CLAIM, (tenant, request.id, request.digest))
    if claimed.rowcount:
        return None
    if (answer := await find_space_answer(connection, tenant, request)) is None:
        raise RequestIdReused(str(request.id))  # forgotten between the two
    return answer


async def find_space_answer(connection: Connection, tenant: str, request: RequestKey) -> Mapping[str, Any] | None:
    """How a request on a space was answered before; None if it was not. Raises RequestIdReused."""
    row = await (await connection.execute(_ANSWER, (tenant, request.id))).fetchone()
    if row is None:
        return None
    digest, answer = row
    if digest != request.digest:
        raise RequestIdReused(str(request.id))
    found: Mapping[str, Any] = answer
    return found


async def answer_space_request(
    connection: Connection, tenant: str, request: RequestKey, answer: Mapping[str, object]
) -> None:
    """Keep the answer of a request that was claimed in the same transaction."""
    await connection.execute(_SET_ANSWER, (Jsonb(answer), tenant, request.id))


async def find_revisions(connection: Connection, space_id: UUID, request: RequestKey) -> tuple[int, int] | None:
    """First revision a request made, and how many; None if it was not answered before. Raises RequestIdReused."""
    row = await (await connection.execute(_FIND, (space_id, request.id))).fetchone()
    if row is None:
        return None
    digest, first, count = row
    if digest != request.digest:
        raise RequestIdReused(str(request.id))
    return first, count


async def record_revisions(connection: Connection, space_id: UUID, request: RequestKey, first: int, count: int) -> None:
    """Keep which revisions a request made."""
    await connection.execute(_RECORD, (space_id, request.id, request.digest, first, count))


async def find_each(
    connection: Connection, space_id: UUID, requests: Sequence[RequestKey]
) -> Mapping[UUID, int | RequestIdReused]:
    """The first revision that each request made, for those that were answered before."""
    found = await connection.execute(_FIND_EACH, (space_id, [request.id for request in requests]), prepare=False)
    answered = {request_id: (digest, revision) for request_id, digest, revision in await found.fetchall()}
    answers: dict[UUID, int | RequestIdReused] = {}
    for request in requests:
        if request.id in answered:
            digest, revision = answered[request.id]
            answers[request.id] = revision if digest == request.digest else RequestIdReused(str(request.id))
    return answers


async def record_each(connection: Connection, space_id: UUID, requests: Sequence[RequestKey], first: int) -> None:
    """Keep that each request made one revision, the first one the revision `first`."""
    ids, digests = [request.id for request in requests], [request.digest for request in requests]
    await connection.execute(_RECORD_EACH, (space_id, first - 1, ids, digests))


async def claim_revisions(
    connection: Connection, space_id: UUID, request: RequestKey, first: int, count: int
) -> tuple[int, int]:
    """Keep which revisions answer a request, unless others do; those that do. Raises RequestIdReused."""
    await connection.execute(f"{_RECORD} ON CONFLICT DO NOTHING", (space_id, request.id, request.digest, first, count))
    return await find_revisions(connection, space_id, request) or (first, count)


async def trim_requests(database: Database, older_than_days: int = 7) -> int:
    """Forget requests that were answered long ago; return how many."""
    count = 0
    async with database.unlocked() as connection:
        for table in ("requests", "space_requests"):
            cursor = await connection.execute(
                f"DELETE FROM {table} WHERE create_time < now() - make_interval(days => %s)", (older_than_days,)
            )
            count += cursor.rowcount
    return count
