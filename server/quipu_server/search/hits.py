"""Turns ranked candidates and hydrated memories into hits."""

from collections.abc import Mapping, Sequence

import numpy as np

from quipu_server.domain import Memory
from quipu_server.search.gathering import Quarry
from quipu_server.search.query import Explanation, ScoredHit
from quipu_server.search.ranking import Ranked
from quipu_server.search.terms import TERMS


def make_hit(
    quarries: Sequence[Quarry], ranked: Ranked, i: int, memories: Mapping[tuple[int, int], Memory], *, explain: bool
) -> ScoredHit | None:
    """The hit at place `i`; None when its memory was not found. Memories are keyed by (pool, revision)."""
    number, place = int(ranked.pool_numbers[i]), int(ranked.places[i])
    evidence = ranked.pools[number].evidence
    memory = memories.get((number, int(evidence.revisions[place])))
    if memory is None:
        return None
    start, end = evidence.spans[place].tolist()
    return ScoredHit(
        ranked.pools[number].space,
        memory,
        float(ranked.scores[i]),
        float(ranked.relevances[i]),
        None if start < 0 else (start, end),
        _explain(quarries[number].terms, ranked, i) if explain else None,
    )


def _explain(query_terms: Sequence[str], ranked: Ranked, i: int) -> Explanation:
    place = int(ranked.places[i])
    evidence = ranked.pools[int(ranked.pool_numbers[i])].evidence
    cosine = float(evidence.cosines[place])
    return Explanation(
        cosine=None if np.isnan(cosine) else cosine,
        bm25=float(evidence.bm25[place]) if query_terms else None,
        terms=dict(zip(TERMS, ranked.terms[i].tolist(), strict=True)),
        age_s=float(ranked.ages_s[i]),
        matched_terms=tuple(np.array(query_terms, dtype=object)[evidence.matched(place)]) if query_terms else (),
    )
