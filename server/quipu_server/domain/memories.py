"""Memories: what is said of them, and what is written."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum
from typing import Self
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain.values import Metadata, Vectors

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
    redactions, is_waiting: what the write left out, and whether it has no vectors yet; only in its answer.
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
    is_waiting: bool = False

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
