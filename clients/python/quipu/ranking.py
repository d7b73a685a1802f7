"""Weights of ranking as callers give them."""

from datetime import timedelta
from typing import TypedDict

from quipu.v1.ranking_pb2 import RankingWeights


class Ranking(TypedDict, total=False):
    """Weights of the terms of a score, as described at `RankingWeights`; what is left out keeps its default."""

    dense: float
    lexical: float
    importance: float
    recency: float
    recency_half_life: timedelta


def to_weights(ranking: Ranking) -> RankingWeights:
    """Raises ValueError for a weight that does not exist."""
    # Protobuf takes a timedelta for a Duration, which its type stubs do not say.
    return RankingWeights(**ranking)  # type: ignore[arg-type]
