"""Fuses the candidates of all spaces into one order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Evidence, Mode, RankingWeights, Space
from quipu_server.scoring import descending

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pool:
    """The candidates of one space: evidence, which of them each list proposed, and which may be hits at all.

    weights: without gaps. highest_bm25: what a lexical relevance of 1 would score.
    """

    space: Space
    evidence: Evidence
    in_dense: NDArray[np.bool_]
    in_lexical: NDArray[np.bool_]
    listed: NDArray[np.bool_]
    weights: RankingWeights
    highest_bm25: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """Admitted candidates of all pools, best first. `places` are rows of the pool that `pools` names."""

    pools: Sequence[Pool]
    pool_numbers: NDArray[np.intp]
    places: NDArray[np.intp]
    scores: Floats
    relevances: Floats
    terms: Floats
    """Shape (n, 4): dense, lexical, importance, recency; a score is the sum of its row."""
    ages_s: Floats


def rank(pools: Sequence[Pool], mode: Mode, window: int, min_relevance: float, now: datetime) -> Ranked:
    """Order the candidates: scale each list, weigh, admit by relevance, add importance and recency.

    window: how many of the best of each list the scaling spans.
    """
    cosine, bm25 = _joined(pools, "cosines"), _joined(pools, "bm25")
    dense = _scaled(cosine, np.concatenate([p.in_dense for p in pools]), window, floor=None)
    lexical = _scaled(bm25, np.concatenate([p.in_lexical for p in pools]), window, floor=0.0)
    numbers = np.repeat(np.arange(len(pools)), [len(p.in_dense) for p in pools])
    w_dense, w_lexical, w_importance, w_recency, half_life_s = _weights(pools, mode)[numbers].T
    ages_s = np.maximum(now.timestamp() - _joined(pools, "recency_times"), 0.0)
    terms = np.stack(
        [
            w_dense * dense,
            w_lexical * lexical,
            w_importance * _joined(pools, "importances"),
            w_recency * 0.5 ** (ages_s / half_life_s),
        ],
        axis=1,
    )
    highest = np.array([p.highest_bm25 or 1.0 for p in pools])[numbers]
    relevances = _relevances(w_dense, np.nan_to_num(cosine), w_lexical, bm25 / highest)
    return _ordered(pools, numbers, terms, relevances, ages_s, min_relevance)


def _joined(pools: Sequence[Pool], name: str) -> Floats:
    return np.concatenate([getattr(p.evidence, name) for p in pools])


def _weights(pools: Sequence[Pool], mode: Mode) -> Floats:
    """Shape (pools, 5): dense, lexical, importance, recency, half-life. A single list has weight 1."""
    rows = [
        (
            p.weights.dense if mode is Mode.HYBRID else float(mode is Mode.DENSE),
            p.weights.lexical if mode is Mode.HYBRID else float(mode is Mode.LEXICAL),
            p.weights.importance,
            p.weights.recency,
            p.weights.recency_half_life_s,
        )
        for p in pools
    ]
    return np.array(rows, dtype=np.float64)


def _scaled(scores: Floats, listed: NDArray[np.bool_], window: int, floor: float | None) -> Floats:
    """Min-max over the `window` best of the listed scores; 0 for what is not among them.

    floor: the lowest score when fewer than `window` are listed, because all others have it; None: the lowest listed.
    """
    scaled = np.zeros_like(scores)
    values = scores[listed]
    if not len(values):
        return scaled
    best = np.sort(values)[::-1][:window]
    low = floor if floor is not None and len(values) < window else best[-1]
    spread = best[0] - low
    scaled[listed] = np.minimum(np.maximum((values - low) / spread, 0.0), 1.0) if spread > 0 else 1.0
    return scaled


def _relevances(w_dense: Floats, cosine: Floats, w_lexical: Floats, coverage: Floats) -> Floats:
    total = np.maximum(w_dense + w_lexical, np.finfo(np.float64).tiny)
    return np.clip((w_dense * np.maximum(cosine, 0.0) + w_lexical * coverage) / total, 0.0, 1.0)


def _ordered(
    pools: Sequence[Pool],
    numbers: NDArray[np.intp],
    terms: Floats,
    relevances: Floats,
    ages_s: Floats,
    min_relevance: float,
) -> Ranked:
    scores = terms.sum(axis=1)
    places = np.concatenate([np.arange(len(p.in_dense)) for p in pools])
    listed = np.concatenate([p.listed for p in pools])
    admitted = np.flatnonzero(listed & (relevances >= min_relevance))

    def names(some: NDArray[np.intp]) -> Sequence[tuple[str, str]]:
        rows = zip(numbers[admitted[some]].tolist(), places[admitted[some]].tolist(), strict=True)
        return [(pools[number].space.name, pools[number].evidence.memory_ids[place]) for number, place in rows]

    order = admitted[descending(scores[admitted], names)]
    return Ranked(pools, numbers[order], places[order], scores[order], relevances[order], terms[order], ages_s[order])
