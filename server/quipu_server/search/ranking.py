"""Fuses the candidates of all spaces into one order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Evidence, Mode, Space, TermStatistics
from quipu_server.scoring import bm25_scores, descending
from quipu_server.search import terms as t
from quipu_server.search.importance import importance
from quipu_server.search.totals import Terms, sum_by_terms
from quipu_server.weights import Formula, RankingWeights

Floats = NDArray[np.float64]
Weight = Floats | float


@dataclass(frozen=True, slots=True)
class Pool:
    """The candidates of one space: evidence, which of them each list proposed, and which may be hits at all.

    weights: without gaps. highest_bm25: what a lexical relevance of 1 would score. around: see Neighbourhood.
    witnesses: those that only count as neighbours. query: its terms. uses: how often each was used; None: not asked.
    """

    space: Space
    evidence: Evidence
    in_dense: NDArray[np.bool_]
    in_lexical: NDArray[np.bool_]
    listed: NDArray[np.bool_]
    weights: RankingWeights
    highest_bm25: float
    around: NDArray[np.intp]
    witnesses: NDArray[np.bool_]
    query: Terms = ()
    uses: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """Admitted candidates of all pools, best first. `places` are rows of the pool that `pools` names."""

    pools: Sequence[Pool]
    pool_numbers: NDArray[np.intp]
    places: NDArray[np.intp]
    scores: Floats
    relevances: Floats
    terms: Floats
    """Shape (n, terms), in the order of TERMS; a score is the sum of its row."""
    ages_s: Floats


class _Joined:
    """The candidates of all pools, one after the other."""

    def __init__(self, pools: Sequence[Pool], mode: Mode) -> None:
        self.pools = pools
        self._mode = mode
        self.numbers = np.repeat(np.arange(len(pools)), [len(p.in_dense) for p in pools])

    def evidence(self, name: str) -> NDArray[Any]:
        return _join([getattr(p.evidence, name) for p in self.pools])

    def mark(self, name: str) -> NDArray[Any]:
        return _join([getattr(p, name) for p in self.pools])

    def weight(self, name: str) -> Weight:
        """One for all, or one for each candidate. A single list has weight 1."""
        if name in ("dense", "lexical") and self._mode is not Mode.HYBRID:
            return float(name == self._mode)
        return self.spread([getattr(p.weights, name) for p in self.pools])

    def spread(self, values: Sequence[float]) -> Weight:
        """The value of its pool for each candidate; one number when all pools have the same."""
        return values[0] if len(set(values)) == 1 else np.array(values, np.float64)[self.numbers]

    @property
    def around(self) -> NDArray[np.intp]:
        """Places of neighbours among all."""
        if len(self.pools) == 1:
            return self.pools[0].around
        counts = [len(p.in_dense) for p in self.pools]
        starts = np.cumsum([0, *counts[:-1]]).repeat(counts)[:, None]
        around: NDArray[np.intp] = self.mark("around")
        return np.where(around < 0, around, around + starts)


def rank(pools: Sequence[Pool], mode: Mode, window: int, min_relevance: float, now: datetime) -> Ranked:
    """Order the candidates: scale each list, weigh, admit by relevance, add what else counts.

    window: how many of the best of each list the scaling spans.
    """
    joined = _Joined(pools, mode)
    cosines, bm25 = joined.evidence("cosines"), joined.evidence("bm25")
    witnesses = joined.mark("witnesses")
    scaled = t.Likeness(
        _scaled(cosines, joined.mark("in_dense"), witnesses, window, floor=None),
        _scaled(bm25, joined.mark("in_lexical"), witnesses, window, floor=0.0),
    )
    cosines = np.where(np.isnan(cosines), 0.0, cosines)
    ages_s = np.maximum(now.timestamp() - joined.evidence("recency_times"), 0.0)
    formula = pools[0].weights.formula or Formula.QUIPU
    terms = _terms(joined, t.likeness(formula, cosines, bm25, scaled), ages_s)
    highest = joined.spread([p.highest_bm25 or 1.0 for p in pools])
    relevances = _relevances(joined.weight("dense"), cosines, joined.weight("lexical"), bm25 / highest)
    return _ordered(joined, terms, relevances, ages_s, min_relevance)


def _terms(joined: _Joined, like: t.Likeness, ages_s: Floats) -> Floats:
    """Shape (candidates, terms). What has no weight stays 0."""
    table = np.zeros((len(t.TERMS), len(ages_s)))
    columns = dict(zip(t.TERMS, table, strict=True))
    weigh = joined.weight
    columns["dense"][:] = weigh("dense") * like.dense
    columns["lexical"][:] = weigh("lexical") * like.lexical
    if _counts(weight := weigh("importance")):
        columns["importance"][:] = weight * _importances(joined, ages_s)
    if _counts(weight := weigh("recency")):
        columns["recency"][:] = weight * t.decay(ages_s, weigh("recency_half_life_s"))
    if _counts(weight := weigh("confidence")):
        columns["confidence"][:] = weight * t.CONFIDENCE * t.decay(ages_s, t.CONFIDENCE_HALF_LIFE_S)
    if joined.evidence("messages").any():
        _add_conversation(joined, columns)
    _multiply(joined, columns)
    return table.T


def _counts(weight: Weight) -> bool:
    return weight != 0.0 if isinstance(weight, float) else bool(np.any(weight))


def _importances(joined: _Joined, ages_s: Floats) -> Floats:
    parts = tuple(joined.weight(f"importance_{name}") for name in ("recency", "role", "explicit"))
    explicit, given, roles = (joined.evidence(name) for name in ("importances", "given", "roles"))
    return importance(explicit, given, roles, ages_s, parts)


def _add_conversation(joined: _Joined, columns: dict[str, Floats]) -> None:
    """What neighbours, session and role of messages say."""
    fused = columns["dense"] + columns["lexical"]
    columns["neighbours"][:] = joined.weight("neighbours") * t.neighbour_scores(fused, joined.around)
    columns["session"][:] = joined.weight("session") * _join(_session_shares(joined.pools))
    columns["role"][:] = joined.weight("role") * t.by_users(joined.evidence("messages"), joined.evidence("roles"))


def _session_shares(pools: Sequence[Pool]) -> Sequence[Floats]:
    """BM25 of the session of each candidate, as a share of the best one's; sessions of candidates are all there are."""
    texts = ((pool.query, pool.evidence.sessions) for pool in pools)
    totals = sum_by_terms((query, some.statistics()) for query, some in texts if some is not None)
    return t.session_shares([_session_scores(pool.evidence, totals.get(pool.query)) for pool in pools])


def _session_scores(evidence: Evidence, totals: TermStatistics | None) -> Floats:
    """Of each candidate; 0 for what is no message."""
    if evidence.sessions is None or totals is None:
        return np.zeros(len(evidence.messages))
    scores = bm25_scores(evidence.sessions.frequencies, evidence.sessions.lengths, totals)
    return np.append(scores, 0.0)[evidence.sessions.places]


def _multiply(joined: _Joined, columns: dict[str, Floats]) -> None:
    """What use and feedback add to the sum of the other terms, or take off it."""
    balances = joined.evidence("balances")
    if all(p.uses is not None for p in joined.pools):
        factors = t.use_factors(joined.mark("uses"), joined.weight("use"))
        columns["use"][:] = (factors - 1.0) * np.maximum(_sum(columns.values()), 0.0)
    if balances.any():
        factors = t.feedback_factors(balances, joined.weight("feedback"))
        columns["feedback"][:] = (factors - 1.0) * np.maximum(_sum(columns.values()), 0.0)


def _sum(columns: Iterable[Floats]) -> Floats:
    """One after the other, so that anybody who adds the terms up gets the same score."""
    return reduce(np.add, columns)


def _join(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _scaled(
    scores: Floats, listed: NDArray[np.bool_], witnesses: NDArray[np.bool_], window: int, floor: float | None
) -> Floats:
    """Min-max over the `window` best of the listed scores; 0 for what is neither listed nor a witness.

    floor: the lowest score when fewer than `window` are listed, because all others have it; None: the lowest listed.
    """
    scaled = np.zeros_like(scores)
    values = scores[listed]
    if not len(values):
        return scaled
    low = floor if floor is not None and len(values) < window else _lowest_of_best(values, window)
    spread = values.max() - low
    counted = listed | (witnesses & ~np.isnan(scores)) if witnesses.any() else listed
    values = scores[counted]
    scaled[counted] = np.minimum(np.maximum((values - low) / spread, 0.0), 1.0) if spread > 0 else values >= low
    return scaled


def _lowest_of_best(values: Floats, window: int) -> float:
    """The lowest of the `window` highest values."""
    return float(values.min() if len(values) <= window else np.partition(values, -window)[-window])


def _relevances(w_dense: Weight, cosines: Floats, w_lexical: Weight, coverage: Floats) -> Floats:
    total = np.maximum(w_dense + w_lexical, np.finfo(np.float64).tiny)
    relevances: Floats = (w_dense * np.maximum(cosines, 0.0) + w_lexical * coverage) / total
    return np.minimum(np.maximum(relevances, 0.0), 1.0)


def _ordered(joined: _Joined, terms: Floats, relevances: Floats, ages_s: Floats, min_relevance: float) -> Ranked:
    pools, numbers = joined.pools, joined.numbers
    scores = _sum(terms.T)
    places = _join([np.arange(len(p.in_dense)) for p in pools])
    admitted = np.flatnonzero(joined.mark("listed") & (relevances >= min_relevance))

    def names(some: NDArray[np.intp]) -> Sequence[tuple[str, str]]:
        rows = zip(numbers[admitted[some]].tolist(), places[admitted[some]].tolist(), strict=True)
        return [(pools[number].space.name, pools[number].evidence.memory_ids[place]) for number, place in rows]

    order = admitted[descending(scores[admitted], names)]
    return Ranked(pools, numbers[order], places[order], scores[order], relevances[order], terms[order], ages_s[order])
