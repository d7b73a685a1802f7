"""What keeps memories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from quipu_server.domain import Memory, RequestKey, Revisions, Space, Vectors, Write
from quipu_server.errors import RequestIdReused
from quipu_server.filters import Condition

NEWEST = 2**63 - 1
"""A revision that no space will come to."""


@dataclass(frozen=True, slots=True)
class ListQuery:
    """One page of a listing, as of a revision.

    order_by: `create_time`, `update_time` or `event_time`. Equal or missing times are ordered by memory id (ascending
    either way); memories without the time come last.
    after: time (None if it has none) and id of the last row of the page before.
    """

    space: Space
    revision: int
    now: datetime
    condition: Condition | None
    order_by: str
    descending: bool
    show_deleted: bool
    show_archived: bool
    after: tuple[datetime | None, str] | None
    limit: int


class Watched(NamedTuple):
    """A version that somebody watches for. left: it does not meet the condition, but the one before it did."""

    memory: Memory
    left: bool
    nonce: int


class LogPart(NamedTuple):
    """The changes after a revision up to another, as one look at the log finds them.

    nonce_before, nonce: of the two revisions; 0 when the log has no such revision.
    """

    changes: Sequence[Watched]
    nonce_before: int
    nonce: int


class MemoryStore(Protocol):
    """Keeps memories as a log for each space. Every method may raise StoreUnavailable."""

    async def append(self, space: Space, writes: Sequence[Write], request: RequestKey | None) -> Sequence[Memory]:
        """Append the writes to the log of the space in one transaction and return the versions they made, in order.

        The writes take the next revisions, one each. Raises Conflict when `expected` of a write is not the revision of
        the current version (metadata `index`: which write), RequestIdReused, NotFound when the space is gone. With a
        request that was answered before, nothing is written and the versions it made then are returned. Raises
        ModelChanged when the writes have new texts and the space has another model now than the one given.
        """

    async def replay(self, space: Space, request: RequestKey) -> Sequence[Memory] | None:
        """The versions a request made earlier; None if it was never answered. Raises RequestIdReused."""

    async def answer(self, space: Space, request: RequestKey, version: Memory) -> Memory:
        """Keep a version that exists as the answer to a request; the one it was given before, if it was.

        Raises RequestIdReused.
        """

    async def append_each(
        self, space: Space, writes: Sequence[Write], requests: Sequence[RequestKey]
    ) -> Sequence[Memory]:
        """Append the writes in one transaction, each as the answer to a request of its own.

        Raises Conflict as `append` does, and for a write whose request was answered meanwhile, NotFound, ModelChanged.
        """

    async def replay_each(
        self, space: Space, requests: Sequence[RequestKey]
    ) -> Mapping[UUID, Memory | RequestIdReused]:
        """What those requests made that were answered earlier, by id of the request; `is_waiting` as it is now."""

    async def latest(self, space: Space, memory_ids: Sequence[str], upto: int = NEWEST) -> Mapping[str, Memory]:
        """The newest version of each memory, deleted and expired ones included; absent where there is none.

        A deleted memory has change DELETED and the fields it had before; one that was erased has nothing.
        upto: no version is newer than this revision.
        """

    async def hydrate(
        self, space: Space, revisions: Revisions, now: datetime, *, past: bool = False
    ) -> Mapping[int, Memory]:
        """Those of the revisions that are current, live and not expired, by revision.

        past: those that were current once as well.
        """

    async def vectors(self, space: Space, passage_id: UUID) -> Vectors:
        """The vectors of the chunks of a passage, as the database holds them (float16 precision)."""

    async def list_memories(self, query: ListQuery) -> Sequence[Memory]:
        """One page of the memories of a space as of a revision."""

    async def history(self, space: Space, memory_id: str, before: int, limit: int) -> Sequence[Memory]:
        """At most `limit` versions of a memory with revisions below `before`, newest first."""

    async def changes(self, space: Space, after: int, upto: int, condition: Condition | None) -> LogPart:
        """The versions with revisions above `after` up to `upto`, deletions included, by revision.

        With a condition only those that meet it, or whose predecessors did.
        """
