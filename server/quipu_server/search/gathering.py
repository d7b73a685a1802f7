"""Gathers the candidates of one space."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Revisions, Space, TermStatistics, Vector
from quipu_server.ports import SearchView, Selection
from quipu_server.scoring import highest_bm25
from quipu_server.search.conversation import LEADERS, Neighbourhood, alone, distinct, surround
from quipu_server.search.ranking import Pool
from quipu_server.search.stopwatch import Stopwatch
from quipu_server.search.totals import Terms, sum_by_terms
from quipu_server.weights import RankingWeights

NOTHING: Revisions = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Probe:
    """What is looked for: a vector, a text, or both; and a memory (space, id) that must not be found.

    fingerprint: of the model that the vector is of.
    """

    vector: Vector | None = None
    text: str | None = None
    example: tuple[str, str] | None = None
    fingerprint: str = ""

    def is_of(self, space: Space) -> bool:
        """Whether its vector, if it has one, can be compared with those of a space."""
        return self.vector is None or self.fingerprint == space.fingerprint


@dataclass(frozen=True, slots=True)
class Quarry:
    """One space to search: a view of it, what may be found there, and the analysed words of the query."""

    view: SearchView
    selection: Selection
    terms: Terms
    weights: RankingWeights


async def sum_statistics(quarries: Sequence[Quarry]) -> Sequence[TermStatistics | None]:
    """Statistics for each, summed over all spaces with the same terms so that their scores compare; None: no terms."""
    totals = sum_by_terms([(q.terms, await q.view.statistics(q.terms)) for q in quarries if q.terms])
    return [totals.get(quarry.terms) for quarry in quarries]


async def gather(quarry: Quarry, probe: Probe, statistics: TermStatistics | None, depth: int, watch: Stopwatch) -> Pool:
    """The `depth` best by meaning and by words, with what ranking needs to know of them."""
    view = quarry.view
    dense, lexical = await _propose(quarry, probe, statistics, depth, watch)
    with watch.stage("rank"):
        found = await _surround(quarry, probe, dense, lexical)
        with_sessions = statistics is not None and bool(quarry.weights.session)
        evidence = await view.evidence(
            found.revisions, probe.vector, quarry.terms, statistics, with_sessions=with_sessions
        )
        listed = found.is_candidate
        if probe.example is not None:
            listed = listed & [(view.space.name, memory_id) != probe.example for memory_id in evidence.memory_ids]
        return Pool(
            view.space,
            evidence,
            _among(found.revisions, dense) & listed,
            _among(found.revisions, lexical) & listed,
            listed,
            quarry.weights,
            highest_bm25(statistics) if statistics is not None else 0.0,
            found.around,
            ~found.is_candidate,
            quarry.terms,
        )


async def _propose(
    quarry: Quarry, probe: Probe, statistics: TermStatistics | None, depth: int, watch: Stopwatch
) -> tuple[Revisions, Revisions]:
    """The best by meaning, and the best by words."""
    if not quarry.view.is_aside:
        return await _near(quarry, probe, depth, watch), await _said(quarry, statistics, depth, watch)
    return await asyncio.gather(_near(quarry, probe, depth, watch), _said(quarry, statistics, depth, watch))


async def _near(quarry: Quarry, probe: Probe, depth: int, watch: Stopwatch) -> Revisions:
    """The best by meaning."""
    with watch.stage("dense"):
        return NOTHING if probe.vector is None else await quarry.view.dense(probe.vector, depth, quarry.selection)


async def _said(quarry: Quarry, statistics: TermStatistics | None, depth: int, watch: Stopwatch) -> Revisions:
    """The best by words."""
    with watch.stage("lexical"):
        if statistics is None:
            return NOTHING
        return await quarry.view.lexical(quarry.terms, statistics, depth, quarry.selection)


async def _surround(quarry: Quarry, probe: Probe, dense: Revisions, lexical: Revisions) -> Neighbourhood:
    found = distinct(np.concatenate([dense, lexical]))
    if not quarry.weights.neighbours or not len(found):
        return alone(found)
    # Only what shares a word with the query is found by words alone.
    leaders = found[:0] if probe.vector is None else np.concatenate([dense[:LEADERS], lexical[:LEADERS]])
    return await surround(quarry.view, quarry.selection, found, leaders)


def _among(found: Revisions, some: Revisions) -> NDArray[np.bool_]:
    """Which of the ascending revisions found are some of them."""
    among = np.zeros(len(found), np.bool_)
    among[found.searchsorted(some)] = True
    return among
