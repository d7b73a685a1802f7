"""What the core needs from outside: one Protocol a need, with its contract."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple, Protocol
from uuid import UUID

from quipu_server.domain import (
    EmbeddedText,
    Evidence,
    Head,
    IndexRow,
    Memory,
    ModelInfo,
    Path,
    Purpose,
    RequestKey,
    Revisions,
    Space,
    SpaceStatus,
    Surroundings,
    Tail,
    TermStatistics,
    TextToEmbed,
    Vector,
    Vectors,
    Write,
)
from quipu_server.errors import RequestIdReused
from quipu_server.filters import Condition

NEWEST = 2**63 - 1
"""A revision that no space will come to."""


class Lane(IntEnum):
    """Who goes first when texts wait to be embedded."""

    QUERY = 0
    INGEST = 1


class Embedder(Protocol):
    """Turns texts into vectors. The same text always gives the same vector, alone or among others."""

    def models(self) -> Sequence[ModelInfo]:
        """All models, the default one first."""

    def model(self, name: str) -> ModelInfo:
        """The model with this name; the default one for "". Raises NotFound."""

    async def embed(
        self, model: str, texts: Sequence[TextToEmbed], purpose: Purpose, lane: Lane
    ) -> Sequence[EmbeddedText]:
        """Embed every text, chunk by chunk, in order.

        Raises NotFound for an unknown model, Overloaded when too many tokens wait. Cancellation takes the texts that
        wait out of the queue.
        """

    async def embed_query(self, model: str, text: str) -> Vector:
        """One unit vector for a query; the scaled mean of its chunks when it is longer than the window.

        Recent queries are answered from a cache.
        """

    async def count_tokens(self, model: str, texts: Sequence[str]) -> Sequence[int]:
        """Tokens of each text without special tokens."""


class SpaceStore(Protocol):
    """Keeps spaces. Every method raises StoreUnavailable when the database cannot be reached."""

    async def find_space(self, tenant: str, name: str) -> Space | None:
        """The space with this name."""

    async def create_space(self, space: Space, request: RequestKey | None) -> Space:
        """Store a new space; times are set by the database.

        Raises AlreadyExists; RequestIdReused. With a request that was answered before: the space it created.
        """

    async def ensure_space(self, space: Space) -> Space:
        """Return the space with this tenant and name, after storing the given one if there was none. Safe in races."""

    async def update_space(self, space: Space, expected_version: int, request: RequestKey | None) -> Space | None:
        """Store display name and ranking if the version is still the expected one; None if it is not."""

    async def delete_space(self, space: Space, *, force: bool, request: RequestKey | None) -> int:
        """Destroy a space and return how many memories went with it.

        Raises FailedPrecondition (SPACE_NOT_EMPTY) when it has memories and force is off.
        """

    async def keep_missing(self, tenant: str, request: RequestKey) -> None:
        """Keep that a request found no space, and that this was its answer. Raises RequestIdReused."""

    async def was_missing(self, tenant: str, request: RequestKey) -> bool:
        """Whether a request was answered so before. Raises RequestIdReused."""

    async def space_status(self, space: Space) -> SpaceStatus:
        """The space with its head revision and number of memories."""

    async def list_spaces(
        self, tenant: str, after: str, limit: int, prefixes: Sequence[str] = ()
    ) -> Sequence[SpaceStatus]:
        """At most `limit` spaces of the tenant with names greater than `after`, by name.

        prefixes: of the names, if any are given.
        """


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
        """What those requests made that were answered earlier, by id of the request."""

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


class LogSource(Protocol):
    """The logs of the spaces, as an index follows them."""

    async def heads(self, space_ids: Sequence[UUID]) -> Mapping[UUID, Head]:
        """The head of each space that exists."""

    def snapshot(self, space: Space, revision: int) -> AsyncIterator[Sequence[IndexRow]]:
        """The versions that are current at the revision and live, in batches, by revision."""

    async def nonce(self, space: Space, revision: int) -> int:
        """The nonce of a revision; 0 when the log has no such revision."""

    async def tail(self, space: Space, after: int, upto: int, limit: int) -> Tail:
        """At most `limit` revisions above `after` up to `upto`, in order, deletions included. None is missing."""

    async def matching(self, space: Space, condition: Condition, revision: int) -> Revisions:
        """Ascending revisions of the versions, current at the revision and live, that meet the condition."""


class Selection(Protocol):
    """The memories of a view that a search may return: those that meet its filter and have not expired."""

    @property
    def count(self) -> int | None:
        """How many there are; None when the view has not counted them."""


class SearchView(Protocol):
    """One space at one revision, to be searched. Scores do not depend on which view computes them.

    A cosine is the inner product of the query (float32) with the float16 codes in the database, summed in float64 and
    rounded to float32. BM25 is summed in float64 in the order of the terms. Equal scores are ordered by memory id.
    """

    @property
    def space(self) -> Space: ...
    @property
    def revision(self) -> int: ...
    @property
    def path(self) -> Path: ...
    @property
    def plan(self) -> str:
        """How `dense` found its memories; "" before. See `SpaceAnswer.plan` in the API."""

    async def unembedded_count(self) -> int:
        """How many memories of the space have no vector yet: `dense` cannot find them."""

    async def select(self, condition: Condition | None, now: datetime) -> Selection:
        """Resolve a filter."""

    async def dense(self, query: Vector, depth: int, selection: Selection) -> Revisions:
        """The `depth` selected memories with the highest cosine of their best chunk, best first."""

    async def statistics(self, terms: Sequence[str]) -> TermStatistics:
        """Statistics of the space for these terms, over all live memories, whatever the filter."""

    async def lexical(
        self, terms: Sequence[str], statistics: TermStatistics, depth: int, selection: Selection
    ) -> Revisions:
        """The `depth` selected memories with the highest BM25 score above 0, best first."""

    async def session_statistics(self, terms: Sequence[str]) -> TermStatistics:
        """Statistics of the space for these terms where each session is a document: all its live messages."""

    async def surroundings(self, revisions: Revisions, selection: Selection) -> Surroundings:
        """The live messages before and after these memories in their sessions, whatever the filter.

        Messages are memories of kind episodic that have a session, in the order of the revisions that created them.
        """

    async def evidence(
        self,
        revisions: Revisions,
        query: Vector | None,
        terms: Sequence[str],
        statistics: TermStatistics | None,
        sessions: TermStatistics | None = None,
    ) -> Evidence:
        """What ranking needs to know of these memories. sessions: statistics of whole sessions; None: no such scores.

        The score of a session is BM25 over all its live messages, summed like that of a memory.
        """


class SearchViews(Protocol):
    """Gives views of spaces: from memory when a space is hot, from the database when it is not."""

    async def view(self, space: Space, at_least: Head) -> SearchView:
        """A view whose revision is at least that of the head."""

    def past(self, space: Space, revision: int) -> SearchView:
        """A view of the space as it was at a revision."""

    def written(self, space: Space, revision: int) -> None:
        """Tell that a write was acknowledged; a hot index catches up in the background."""

    def forget(self, space: Space) -> None:
        """Tell that a space was deleted, or some of it erased: nothing that was made of it stays."""


class Analyser(Protocol):
    """Turns text into terms; the same for what is indexed and what is asked."""

    def terms(self, text: str, language: str) -> Sequence[str]:
        """Analysed words in their order, with repetitions."""

    def languages(self) -> Sequence[str]:
        """Language codes that can be given."""
