"""What is searched: logs, and views of spaces."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from quipu_server.domain import (
    Evidence,
    Head,
    IndexRow,
    Path,
    Revisions,
    Space,
    Surroundings,
    Tail,
    TermStatistics,
    Vector,
)
from quipu_server.filters import Condition


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
    def is_aside(self) -> bool:
        """Whether other threads search it: then it pays to ask for several things at once."""

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
        *,
        with_sessions: bool = False,
    ) -> Evidence:
        """What ranking needs to know of these memories. with_sessions: also of what the sessions of messages say."""


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
