"""What ranking weighs with, and how."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Self


class Formula(StrEnum):
    """How terms make a score; see `RankingFormula` in the API."""

    QUIPU = "quipu"
    MEMORYMESH = "memorymesh"
    MEMORIA = "memoria"


@dataclass(frozen=True, slots=True)
class RankingWeights:
    """Weights of the terms of a score; None means: take the next wider place's. See `ranking.proto`."""

    dense: float | None = None
    lexical: float | None = None
    importance: float | None = None
    recency: float | None = None
    recency_half_life_s: float | None = None
    neighbours: float | None = None
    session: float | None = None
    role: float | None = None
    confidence: float | None = None
    feedback: float | None = None
    use: float | None = None
    importance_recency: float | None = None
    importance_role: float | None = None
    importance_explicit: float | None = None
    formula: Formula | None = None

    def over(self, wider: Self) -> Self:
        """Return these weights with gaps filled from `wider`."""
        given = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None}
        return replace(wider, **given)


DAY_S = 86_400.0

DEFAULT_WEIGHTS = RankingWeights(
    dense=0.5,
    lexical=0.5,
    importance=0.05,
    recency=0.05,
    recency_half_life_s=30 * DAY_S,
    neighbours=0.2,
    session=0.3,
    role=0.2,
    confidence=0.0,
    feedback=0.1,
    use=0.0,
    importance_recency=0.0,
    importance_role=0.0,
    importance_explicit=1.0,
    formula=Formula.QUIPU,
)
"""Those of the conversation were chosen on LoCoMo; see docs/ranking.md."""

_PLAIN = replace(DEFAULT_WEIGHTS, neighbours=0.0, session=0.0, role=0.0)
DEFAULTS: Mapping[Formula, RankingWeights] = {
    Formula.QUIPU: DEFAULT_WEIGHTS,
    Formula.MEMORYMESH: replace(
        _PLAIN,
        dense=0.6,
        lexical=0.0,
        importance=0.3,
        recency=0.1,
        recency_half_life_s=7 * DAY_S,
        importance_recency=0.4,
        importance_role=0.2,
        importance_explicit=0.4,
        formula=Formula.MEMORYMESH,
    ),
    Formula.MEMORIA: replace(
        _PLAIN,
        dense=0.3,
        lexical=0.2,
        importance=0.0,
        recency=0.2,
        confidence=0.3,
        use=0.1,
        formula=Formula.MEMORIA,
    ),
}
"""What each formula weighs with when nothing else is said."""
