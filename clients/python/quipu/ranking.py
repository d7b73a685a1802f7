"""Weights of ranking as callers give them."""

from datetime import timedelta
from typing import Literal, TypeAlias, TypedDict

from quipu.v1.ranking_pb2 import RankingWeights

FormulaName: TypeAlias = Literal["quipu", "memorymesh", "memoria"]


class Ranking(TypedDict, total=False):
    """Weights of the terms of a score, as described at `RankingWeights`; what is left out keeps its default."""

    dense: float
    lexical: float
    importance: float
    recency: float
    recency_half_life: timedelta
    neighbours: float
    session: float
    role: float
    confidence: float
    feedback: float
    use: float
    importance_recency: float
    importance_role: float
    importance_explicit: float
    formula: FormulaName


def to_weights(ranking: Ranking) -> RankingWeights:
    """Raises ValueError for a weight or a formula that does not exist."""
    formula = f"RANKING_FORMULA_{ranking.get('formula', 'unspecified').upper()}"
    # Protobuf takes a timedelta for a Duration, and the name of a value for an enum, which its type stubs do not say.
    return RankingWeights(**{**ranking, "formula": formula})  # type: ignore[arg-type]
