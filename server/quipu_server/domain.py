"""What the core speaks: plain dataclasses and arrays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import NamedTuple, Self, TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from quipu_server.weights import RankingWeights

Scalar: TypeAlias = str | float | bool | datetime
MetadataValue: TypeAlias = Scalar | tuple[Scalar, ...]
Metadata: TypeAlias = Mapping[str, MetadataValue]
Vectors: TypeAlias = NDArray[np.float32]
"""Rows of unit length, shape (n, dimension)."""
Vector: TypeAlias = NDArray[np.float32]
"""Unit length, shape (dimension,)."""
Revisions: TypeAlias = NDArray[np.int64]


MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


class Kind(IntEnum):
    """Sorts of memory; numbers are those of the API and of the database."""

    EPISODIC = 1
    SEMANTIC = 2
    PROCEDURAL = 3
    PROFILE = 4
    WORKING = 5
    TOOL_RESULT = 6


class Role(IntEnum):
    """Who spoke; numbers are those of the API and of the database."""

    NONE = 0
    USER = 1
    ASSISTANT = 2
    SYSTEM = 3
    TOOL = 4


class Change(IntEnum):
    """What a revision did to a memory; numbers are those of the API and of the database."""

    CREATED = 1
    UPDATED = 2
    DELETED = 3
    UNDELETED = 4
    EMBEDDED = 5
    """It got the vectors that it was stored without; nothing else changed."""
    ARCHIVED = 6
    UNARCHIVED = 7
    ERASED = 8
    """Nothing is left of it; the revisions before it say so, too."""

    @property
    def is_end(self) -> bool:
        """Whether there is no memory after it."""
        return self is Change.DELETED or self is Change.ERASED

    @property
    def is_live(self) -> bool:
        """Whether searches may find the memory after it."""
        return not self.is_end and self is not Change.ARCHIVED


class Verdict(IntEnum):
    """What somebody says of a memory that was found; numbers are those of the API. Counted in this order."""

    USEFUL = 1
    IRRELEVANT = 2
    OUTDATED = 3
    WRONG = 4


NO_FEEDBACK = (0, 0, 0, 0)
"""How often each verdict was given to a memory of which nobody said anything."""


def balance(feedback: Sequence[int]) -> int:
    """How often a memory was called useful, less how often anything else. feedback: counts of each verdict."""
    useful, *others = feedback
    return useful - sum(others)


class Purpose(StrEnum):
    """What a vector is for."""

    QUERY = "query"
    PASSAGE = "passage"


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
class Space:
    """A space as stored. `id` is internal and never reused; `name` is the caller's id, unique within the tenant.

    previous_model: name of the model before, while its vectors are kept; else "".
    """

    id: UUID
    tenant: str
    name: str
    model: str
    fingerprint: str
    language: str = "en"
    display_name: str = ""
    ranking: RankingWeights = RankingWeights()
    version: int = 1
    create_time: datetime | None = None
    update_time: datetime | None = None
    previous_model: str = ""

    @property
    def resource_name(self) -> str:
        return f"spaces/{self.name}"

    @property
    def etag(self) -> str:
        return f"{self.version}"


@dataclass(frozen=True, slots=True)
class SpaceStatus:
    """A space with what its memories add up to."""

    space: Space
    revision: int
    memory_count: int


@dataclass(frozen=True, slots=True)
class MemoryFields:
    """What a caller says of a memory.

    importance_given: whether the importance was given; else it is the default. feedback: how often each verdict was
    given to this content.
    """

    content: str
    kind: Kind = Kind.EPISODIC
    role: Role = Role.NONE
    speaker: str = ""
    session: str = ""
    tags: tuple[str, ...] = ()
    metadata: Metadata = field(default_factory=dict)
    importance: float = 0.5
    event_time: datetime | None = None
    expire_time: datetime | None = None
    importance_given: bool = False
    feedback: tuple[int, ...] = NO_FEEDBACK

    @property
    def header(self) -> str:
        """What is put before the content when it is indexed, as `[8 May 2023, 13:56] Ann: `; may be empty."""
        when = ""
        if (t := self.event_time) is not None:
            when = f"[{t.day} {MONTHS[t.month - 1]} {t.year:04}, {t.hour:02}:{t.minute:02}] "
        return f"{when}{self.speaker}: " if self.speaker else when

    @property
    def is_message(self) -> bool:
        """Whether the memory is a message of its session."""
        return self.kind is Kind.EPISODIC and self.session != ""

    def judged(self, verdict: Verdict) -> Self:
        """The same with one verdict more."""
        return replace(self, feedback=tuple(n + (place == verdict) for place, n in enumerate(self.feedback, 1)))

    def indexed_like(self, other: "MemoryFields") -> bool:
        """Tell whether both give the same indexed text, so that vectors and terms of one serve the other."""
        return self.header == other.header and self.content == other.content


@dataclass(frozen=True, slots=True)
class Redaction:
    """Personal data that was left out of a text when it was stored.

    field: path of the text in the memory. start, end: of what stood there, in code points of the text as it was sent.
    """

    field: str
    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Memory:
    """One version of a memory as stored.

    created: the revision that created the memory; messages of a session are in its order.
    passage_id: of its indexed text, which versions share.
    redactions: what the write left out; only in its answer.
    """

    memory_id: str
    fields: MemoryFields
    revision: int
    created: int
    passage_id: UUID
    create_time: datetime
    update_time: datetime
    change: Change = Change.CREATED
    redactions: tuple[Redaction, ...] = ()

    @property
    def etag(self) -> str:
        return f"{self.revision:x}"

    @property
    def is_deleted(self) -> bool:
        return self.change.is_end

    @property
    def is_archived(self) -> bool:
        return self.change is Change.ARCHIVED

    def is_expired(self, now: datetime) -> bool:
        return self.fields.expire_time is not None and self.fields.expire_time <= now


@dataclass(frozen=True, slots=True)
class Passage:
    """The indexed text of a memory: written once, never changed.

    terms, frequencies: distinct analysed words of header and content, and how often each occurs.
    length: number of words with repetitions, the document length of BM25.
    vectors: float32, shape (chunks, dimension), rows of unit length; no rows while it waits to be embedded.
    spans: int32, shape (chunks, 2): start and end of each chunk in code points of the content.
    token_count: tokens of the content, without special tokens; None when they were not counted.
    """

    id: UUID
    content: str
    terms: tuple[str, ...]
    frequencies: tuple[int, ...]
    length: int
    vectors: Vectors
    spans: NDArray[np.int32]
    token_count: int | None = None


@dataclass(frozen=True, slots=True)
class RequestKey:
    """What makes a mutation idempotent: the caller's UUID and a digest of the request."""

    id: UUID
    digest: bytes


@dataclass(frozen=True, slots=True)
class Write:
    """One change of one memory, to be appended to the log of its space.

    expected: revision of the version that the writer saw; 0 when there must be none that is not deleted.
    passage: the new indexed text; None when the version shares `passage_id` of the one before.
    """

    memory_id: str
    change: Change
    fields: MemoryFields
    passage_id: UUID
    expected: int
    passage: Passage | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """An embedding model. `max_tokens` counts special tokens; see `EmbeddingModel` in the API."""

    name: str
    dimension: int
    max_tokens: int
    pooling: str
    query_prefix: str
    passage_prefix: str
    fingerprint: str
    is_default: bool = False

    @property
    def resource_name(self) -> str:
        return f"models/{self.name}"


@dataclass(frozen=True, slots=True)
class TextToEmbed:
    """A text; `header` is put before it, and before each chunk of it when it is longer than the model's window."""

    text: str
    header: str = ""


@dataclass(frozen=True, slots=True)
class EmbeddedText:
    """Vectors of the chunks of a text: float32 (chunks, dimension) of unit length; spans int32 (chunks, 2) of its text.

    token_count: tokens of header and text, without special tokens.
    """

    vectors: Vectors
    spans: NDArray[np.int32]
    token_count: int


@dataclass(frozen=True, slots=True)
class Head:
    """Where a space stands: revision of its last write, version of its settings, database time of reading both.

    nonce: of the last write; 0 when there is none. asked_s: monotonic time when the database was asked.
    """

    revision: int
    now: datetime
    space_version: int
    nonce: int = 0
    memory_count: int = 0
    asked_s: float = 0.0
    oldest: int = 0
    """The oldest revision that the space can be read as of; 0 when everything is kept."""
    erased: int = 0
    """Revision of the last erasure: what was made of the space before holds what must be gone; 0: there was none."""


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
class Evidence:
    """What is known of some candidates, one place each, in the order they were asked for.

    cosines: float64, rounded to float32 precision; NaN without a query vector.
    bm25: float64; 0 where no term matches.
    recency_times: float64, seconds since 1970: event time, else creation.
    roles: int8, numbers of `Role`. given: bool, whether the importance was given by somebody.
    balances: int64, how often each was called useful, less how often anything else.
    messages: bool, whether each is a message: episodic, of a session. sessions_bm25: float64, the BM25 score of the
    whole session of each, 0 for what is no message. best_session_bm25: the highest of any session of the space.
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
    sessions_bm25: NDArray[np.float64]
    best_session_bm25: float


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The messages before and after some memories in their sessions, live ones, whatever the filter.

    revisions: int64, shape (n, 2); 0 where there is none. selected: bool (n, 2), whether a search may return them.
    """

    revisions: Revisions
    selected: NDArray[np.bool_]
