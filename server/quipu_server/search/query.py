"""What a search is asked and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from quipu_server.domain import Memory, Mode, Path, Space, Vector
from quipu_server.filters import Condition
from quipu_server.weights import RankingWeights

if TYPE_CHECKING:
    from quipu_server.search.context import ContextRun

SLICE_HITS = 50
"""Hits in one message: 1,000 hits cost 4.5 ms in messages of 50, 89 ms one by one."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A search; exactly one of text, vector and example is set. `vector` is finite, not all zero, of any length."""

    tenant: str
    spaces: tuple[str, ...]
    text: str | None = None
    vector: Vector | None = None
    example: tuple[str, str] | None = None
    """Space and id of a memory."""
    mode: Mode | None = None
    k: int = 10
    condition: Condition | None = None
    min_relevance: float = 0.0
    ranking: RankingWeights = RankingWeights()
    explain: bool = False
    at_least: Mapping[str, int] = field(default_factory=dict)
    """Revision by name of space."""
    max_staleness_s: float | None = None
    expand_context: int = 0
    """Messages before and after each hit."""
    as_of: Mapping[str, int] = field(default_factory=dict)
    """Revision by name of space, for those that are read as they were."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The terms of a score; see `ScoreExplanation` in the API."""

    cosine: float | None
    bm25: float | None
    terms: Mapping[str, float]
    """By name; the score is their sum."""
    age_s: float
    matched_terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScoredHit:
    """A memory that was found; `span` is its best chunk in code points of the content."""

    space: Space
    memory: Memory
    score: float
    relevance: float
    span: tuple[int, int] | None
    explanation: Explanation | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What answered for one space; `plan` is "" unless asked for."""

    space: str
    revision: int
    path: Path
    matched_count: int | None
    plan: str = ""
    unembedded_count: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """What answered a search. `stages` are names and seconds, in order; `ranking` has no gaps."""

    hit_count: int
    answers: tuple[Answer, ...]
    reference_time: datetime
    ranking: RankingWeights
    stages: tuple[tuple[str, float], ...] = ()
    incomplete_reason: str = ""


@dataclass(frozen=True, slots=True)
class SearchSlice:
    """The next hits of the final order, then what was said around them; only the last slice has the summary."""

    hits: Sequence[ScoredHit]
    summary: Summary | None
    contexts: Sequence["ContextRun"] = ()
