"""The transaction that appends to the log of a space.

What is heavy, the indexed text, is written first. Then the row in `heads` is locked until the commit, so that the order
of revisions is the order of commits; the checks that follow see whatever was written before. A writer holds one head
and nothing else that others wait for, so writers cannot wait for each other in a circle.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray

from quipu_server.domain import Change, Memory, RequestKey, Space, Vectors, Write
from quipu_server.errors import Conflict, ModelChanged, NotFound, SessionEnded
from quipu_server.store.encoding import passage_row, revision_rows, unembedded_row, vector_columns
from quipu_server.store.inserting import NEW_PASSAGES, NEW_REVISIONS, NEW_UNEMBEDDED, NEW_VECTORS, insert, insert_equal
from quipu_server.store.links import Connection
from quipu_server.store.requests import find_each, find_revisions, record_each, record_revisions

_LOCK = """
UPDATE heads SET revision = revision + %s, memory_count = memory_count + %s WHERE space_id = %s
RETURNING revision, clock_timestamp(), fingerprint
"""
_CURRENT = """
SELECT r.memory_id, r.revision, r.change, r.created, r.create_time, r.update_time
FROM unnest(%s::text[]) AS written (memory_id)
CROSS JOIN LATERAL (
    SELECT * FROM memory_revisions r
    WHERE r.space_id = %s AND r.memory_id = written.memory_id ORDER BY r.revision DESC LIMIT 1
) r
"""
_ENDED_SESSIONS = "SELECT session FROM sessions WHERE space_id = %s AND session = ANY (%s) AND end_time IS NOT NULL"
_END = """
UPDATE memory_revisions SET ended = (%(by)s::bigint[])[array_position(%(ended)s::bigint[], revision)]
WHERE space_id = %(space_id)s AND revision = ANY (%(ended)s::bigint[])
"""


class AnsweredBefore(Exception):
    """The request made its revisions earlier: `first` and `count` of them."""

    def __init__(self, first: int, count: int) -> None:
        super().__init__(first, count)
        self.first = first
        self.count = count


@dataclass(frozen=True, slots=True)
class Current:
    """The current version of a memory, which may be a deletion."""

    revision: int
    change: Change
    created: int
    create_time: datetime
    update_time: datetime

    @property
    def expected(self) -> int:
        """What a write that saw this version expects."""
        return 0 if Change(self.change).is_end else self.revision


async def append(
    connection: Connection, space: Space, writes: Sequence[Write], request: RequestKey | None
) -> Sequence[Memory]:
    """Append in the transaction of the connection; return the versions made, in order.

    Raises Conflict, NotFound, ModelChanged, SessionEnded, RequestIdReused, AnsweredBefore; the transaction must then be
    rolled back.
    """
    await _store_passages(connection, space, writes)
    first, now = await _lock(connection, space, writes)
    if request and (answered := await find_revisions(connection, space.id, request)) is not None:
        raise AnsweredBefore(*answered)
    memories = await _make(connection, space, writes, first, now)
    if request:
        await record_revisions(connection, space.id, request, first, len(writes))
    return memories


async def append_each(
    connection: Connection, space: Space, writes: Sequence[Write], requests: Sequence[RequestKey]
) -> Sequence[Memory]:
    """Append as `append` does, each write for a request of its own. Raises what `append` does."""
    await _store_passages(connection, space, writes)
    first, now = await _lock(connection, space, writes)
    if answered := await find_each(connection, space.id, requests):
        index = next(place for place, request in enumerate(requests) if request.id in answered)
        raise Conflict("the request was answered meanwhile", metadata={"index": str(index)})
    memories = await _make(connection, space, writes, first, now)
    await record_each(connection, space.id, requests, first)
    return memories


async def _make(
    connection: Connection, space: Space, writes: Sequence[Write], first: int, now: datetime
) -> Sequence[Memory]:
    """Check what the writes expect, and make their versions from the revision `first` on.

    Raises Conflict, SessionEnded.
    """
    await _check_sessions(connection, space, writes)
    current = await _current_versions(connection, space, writes)
    _check_expected(writes, current)
    memories = [_version(write, first + place, now, current) for place, write in enumerate(writes)]
    await _end(
        connection, space, {current[m.memory_id].revision: m.revision for m in memories if m.memory_id in current}
    )
    await insert(connection, NEW_REVISIONS, revision_rows(space, memories))
    return memories


async def _store_passages(connection: Connection, space: Space, writes: Sequence[Write]) -> None:
    """Store the texts. Raises NotFound when the transaction could not enter the space, since it is gone."""
    try:
        await _insert_passages(connection, space, writes)
    except psycopg.errors.InsufficientPrivilege as error:
        raise NotFound("space", space.resource_name) from error


async def _insert_passages(connection: Connection, space: Space, writes: Sequence[Write]) -> None:
    passages = [write.passage for write in writes if write.passage is not None]
    if passages:
        await insert(connection, NEW_PASSAGES, (passage_row(space, passage) for passage in passages))
        await copy_vectors(connection, space, {p.id: (p.vectors, p.spans) for p in passages if len(p.vectors)})
    unembedded = [write for write in writes if write.passage is not None and not len(write.passage.vectors)]
    if unembedded:
        await insert(connection, NEW_UNEMBEDDED, (unembedded_row(space, write) for write in unembedded))


async def copy_vectors(
    connection: Connection, space: Space, vectors: Mapping[UUID, tuple[Vectors, NDArray[np.int32]]]
) -> None:
    """Store vectors and spans of the chunks of passages, which have none yet, by id of the passage."""
    if vectors:
        await insert_equal(connection, NEW_VECTORS, vector_columns(space, vectors))


async def _lock(connection: Connection, space: Space, writes: Sequence[Write]) -> tuple[int, datetime]:
    """Take the revisions and keep other writers out; return the first revision, and the time.

    Raises NotFound; ModelChanged when the writes have vectors, or are to have some, and the space has another model.
    """
    added = sum((not write.change.is_end) - (write.expected > 0) for write in writes)
    row = await (await connection.execute(_LOCK, (len(writes), added, space.id))).fetchone()
    if row is None:
        raise NotFound("space", space.resource_name)
    last, now, fingerprint = row
    if any(write.passage is not None or write.change is Change.EMBEDDED for write in writes):
        check_model(space, fingerprint)
    return last - len(writes) + 1, now


def check_model(space: Space, fingerprint: str | None) -> None:
    """Raise ModelChanged when a head has the fingerprint of another model than the space as it was read."""
    if fingerprint not in (None, space.fingerprint):
        raise ModelChanged(f"{space.resource_name} got another embedding model; send the request again")


async def _current_versions(connection: Connection, space: Space, writes: Sequence[Write]) -> Mapping[str, Current]:
    # Not prepared: a plan made while the table was small would go through the whole space later.
    rows = await connection.execute(_CURRENT, ([write.memory_id for write in writes], space.id), prepare=False)
    return {memory_id: Current(*version) for memory_id, *version in await rows.fetchall()}


async def _check_sessions(connection: Connection, space: Space, writes: Sequence[Write]) -> None:
    """Raise SessionEnded when a new message is for a session that was ended."""
    named = [w.fields.session if w.change is Change.CREATED and w.fields.is_message else "" for w in writes]
    if any(named):
        rows = await connection.execute(_ENDED_SESSIONS, (space.id, list({*named} - {""})))
        if ended := {session for (session,) in await rows.fetchall()}:
            index = next(place for place, session in enumerate(named) if session in ended)
            raise SessionEnded(f"{space.resource_name}/sessions/{named[index]}", index)


def _check_expected(writes: Sequence[Write], current: Mapping[str, Current]) -> None:
    written = set()
    for index, write in enumerate(writes):
        version = current.get(write.memory_id)
        if write.memory_id in written or (version.expected if version else 0) != write.expected:
            metadata = {"index": str(index), "revision": str(version.revision if version else 0)}
            raise Conflict(f"the memory {write.memory_id!r} has another version", metadata=metadata)
        written.add(write.memory_id)


def _version(write: Write, revision: int, now: datetime, current: Mapping[str, Current]) -> Memory:
    created, create_time, update_time = revision, now, now
    if write.change is not Change.CREATED and (version := current.get(write.memory_id)) is not None:
        created, create_time = version.created, version.create_time
        update_time = version.update_time if write.change is Change.EMBEDDED else now
    return Memory(
        write.memory_id, write.fields, revision, created, write.passage_id, create_time, update_time, write.change
    )


async def _end(connection: Connection, space: Space, ends: Mapping[int, int]) -> None:
    """End versions; from each one's revision to that of its successor."""
    if ends:
        await connection.execute(_END, {"space_id": space.id, "ended": list(ends), "by": list(ends.values())})
