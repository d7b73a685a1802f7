"""What sessions need from outside, beside what memories do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from quipu_server.domain import Memory, Metadata, RequestKey, Role, Space
from quipu_server.ports import NEWEST


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What a caller says of a session."""

    title: str = ""
    summary: str = ""
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MessageStatistics:
    """What live messages add up to.

    token_count: of those that were counted; `uncounted` is the number of the others.
    newest: the revision that created the last one; 0 when there is none.
    """

    count: int = 0
    by_role: Mapping[Role, int] = field(default_factory=dict)
    token_count: int = 0
    uncounted: int = 0
    first_time: datetime | None = None
    last_time: datetime | None = None
    newest: int = 0


@dataclass(frozen=True, slots=True)
class Session:
    """A session as stored. version: of its settings and its end; 0 when it never had any."""

    name: str
    settings: SessionSettings
    statistics: MessageStatistics
    version: int = 0
    end_time: datetime | None = None

    @property
    def etag(self) -> str:
        return f"{self.version}"


@dataclass(frozen=True, slots=True)
class SessionQuery:
    """One page of sessions: by name, or by activity, which begins with the one that got a message last.

    ended: None lists all. after: `newest` and name of the last one of the page before.
    """

    space: Space
    by_activity: bool
    ended: bool | None
    after: tuple[int, str] | None
    limit: int


@dataclass(frozen=True, slots=True)
class MessageQuery:
    """One page of the messages of a session, in the order they were created.

    revision: as of which they are listed; NEWEST: as they stand. after: the revision that created the last one of the
    page before.
    """

    space: Space
    session: str
    limit: int
    newest_first: bool = False
    after: int | None = None
    revision: int = NEWEST


class Message(NamedTuple):
    """A message. token_count: of its content; None when it was not counted yet."""

    memory: Memory
    token_count: int | None


class Place(NamedTuple):
    """Where a message stands: its session, and the revision that created it."""

    session: str
    created: int


class SessionStore(Protocol):
    """Keeps sessions. Messages are live, not expired, of kind episodic. Every method may raise StoreUnavailable."""

    async def find_session(self, space: Space, name: str) -> Session | None:
        """The session; None when it has neither messages nor anything beside them."""

    async def list_sessions(self, query: SessionQuery) -> Sequence[Session]:
        """One page."""

    async def set_session(
        self, space: Space, name: str, settings: SessionSettings, expected: int, request: RequestKey | None
    ) -> bool:
        """Store settings if the version is the expected one; tells whether it was, or the request was answered before.

        Raises RequestIdReused.
        """

    async def end_session(self, space: Space, name: str) -> None:
        """End a session that is there. Writes that come later find it ended. Raises NotFound."""

    async def delete_session(self, space: Space, name: str, request: RequestKey | None) -> tuple[int, int]:
        """Delete settings, and messages through the log; how many messages, and the revision of the space then.

        Raises NotFound, RequestIdReused.
        """

    async def list_messages(self, query: MessageQuery) -> Sequence[Message]:
        """One page."""

    async def keep_counts(self, space: Space, counts: Mapping[UUID, int]) -> None:
        """Keep token counts of contents, by passage."""

    async def neighbours(self, space: Space, places: Sequence[Place], reach: int, revision: int) -> Sequence[Memory]:
        """Up to `reach` messages before and after each place in its session, as of a revision; each once."""
