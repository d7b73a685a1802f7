"""What indexes hold, and what searches learn from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain.memories import Change, Kind, Role
from quipu_server.domain.values import Revisions


class Mode(StrEnum):
    """How a search looks for memories."""

    HYBRID = "hybrid"
    DENSE = "dense"
    LEXICAL = "lexical"


class Path(StrEnum):
    """What answered a search."""

    HOT = "hot"
    STORE = "store"


@dataclass(frozen=True, slots=True)
class IndexRow:
    """What an index holds of one revision of a memory; one that is not live carries nothing else.

    created: the revision that created the memory.
    nonce: of the write; it tells two histories apart that have the same revisions.
    """

    revision: int
    created: int
    nonce: int
    memory_id: str
    change: Change
    kind: Kind
    role: Role
    speaker: str
    session: str
    tags: tuple[str, ...]
    importance: float
    event_time: datetime | None
    expire_time: datetime | None
    create_time: datetime
    update_time: datetime
    terms: Sequence[str]
    frequencies: Sequence[int]
    length: int
    codes: NDArray[np.float16]
    """float16, shape (chunks, dimension): exactly what the database holds; no rows while it waits to be embedded."""
    spans: NDArray[np.int32]
    importance_given: bool = False
    balance: int = 0
    """Of the feedback: how often it was called useful, less how often anything else."""

    @property
    def is_message(self) -> bool:
        """Whether it has a place in a session."""
        return self.kind is Kind.EPISODIC and self.session != ""


class Tail(NamedTuple):
    """What follows a revision of a log. nonce: of that revision itself; 0 when the log has no such revision."""

    rows: Sequence[IndexRow]
    nonce: int


@dataclass(frozen=True, slots=True)
class TermStatistics:
    """What BM25 needs to know of a space: live memories, sum of their lengths, and how many contain each term."""

    document_count: int
    total_length: int
    document_frequencies: NDArray[np.int64]

    def __add__(self, other: "TermStatistics") -> "TermStatistics":
        return TermStatistics(
            self.document_count + other.document_count,
            self.total_length + other.total_length,
            self.document_frequencies + other.document_frequencies,
        )


@dataclass(frozen=True, slots=True)
class SessionTexts:
    """The sessions of some candidates, each as one text: all its live messages.

    places: intp, the session of each candidate; -1 for what is no message. lengths: float64, words of each session.
    frequencies: float64, how often each term occurs in each, shape (terms, sessions).
    """

    places: NDArray[np.intp]
    lengths: NDArray[np.float64]
    frequencies: NDArray[np.float64]

    def statistics(self) -> TermStatistics:
        """Counts over these sessions, each a document."""
        counts = np.count_nonzero(self.frequencies, axis=1)
        return TermStatistics(len(self.lengths), int(self.lengths.sum()), counts)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of some candidates, one place each, in the order they were asked for.

    cosines: float64, rounded to float32 precision; NaN without a query vector.
    bm25: float64; 0 where no term matches.
    recency_times: float64, seconds since 1970: event time, else creation.
    roles: int8, numbers of `Role`. given: bool, whether the importance was given by somebody.
    balances: int64, how often each was called useful, less how often anything else.
    messages: bool, whether each is a message: episodic, of a session. sessions: their sessions, if they were asked for.
    spans: int32 (n, 2), the best chunk; (-1, -1) without a query vector or when there is one chunk only.
    matched: for the place of a candidate, bool (terms): which terms of the query it contains.
    """

    revisions: Revisions
    memory_ids: Sequence[str]
    cosines: NDArray[np.float64]
    bm25: NDArray[np.float64]
    importances: NDArray[np.float64]
    recency_times: NDArray[np.float64]
    spans: NDArray[np.int32]
    matched: Callable[[int], NDArray[np.bool_]]
    roles: NDArray[np.int8]
    given: NDArray[np.bool_]
    balances: NDArray[np.int64]
    messages: NDArray[np.bool_]
    sessions: SessionTexts | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The messages before and after some memories in their sessions, live ones, whatever the filter.

    revisions: int64, shape (n, 2); 0 where there is none. selected: bool (n, 2), whether a search may return them.
    """

    revisions: Revisions
    selected: NDArray[np.bool_]
