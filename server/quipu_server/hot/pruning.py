"""Finds the memories among which the best by words are, without looking at all that contain a common word.

The rule is MaxScore's (Turtle and Flood, "Query Evaluation: Strategies and Optimizations", 1995), a term at a time: the
rarest come first, and once those that are left could not lift a memory alone among the best, only memories seen so far
can be among them. As soon as these are few, they are looked up in the occurrences of the terms left, as long as any of
them is in doubt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import TermStatistics
from quipu_server.hot.contents import Contents, Slots
from quipu_server.hot.postings import Occurrences
from quipu_server.hot.segment import Mask
from quipu_server.scoring import bm25_term, inverse_document_frequencies, mean_length

Floats = NDArray[np.float32]

ROUNDING, ROUNDING_A_TERM = 1e-6, 2.0**-23
"""Of scores, which are summed in float32 here, relative to them."""

LEAST = float(np.finfo(np.float32).tiny)

LOOK_UP_COST = 4
"""To look a term up for one memory costs as much as adding so many occurrences."""

PASS_SHARE = 32
"""To look at all scores once costs as much as adding a term that one in so many memories contains."""

ENOUGH = 512
"""So few candidates are not worth looking at more closely."""


@dataclass(frozen=True, slots=True)
class _Term:
    """A term: where it occurs, its weight, and the most that it adds to a score."""

    parts: Sequence[Occurrences]
    idf: float
    bound: float

    @property
    def count(self) -> int:
        return sum(len(part.slots) for part in self.parts)


def candidates(
    contents: Contents, found: Sequence[Sequence[Occurrences]], totals: TermStatistics, depth: int, mask: Mask | None
) -> Slots:
    """Slots that the mask lets through, ascending: all of the `depth` best, what equals them, and some others."""
    return _Search(contents, found, totals, depth, mask).run()


class _Search:
    def __init__(
        self,
        contents: Contents,
        found: Sequence[Sequence[Occurrences]],
        totals: TermStatistics,
        depth: int,
        mask: Mask | None,
    ) -> None:
        self._lengths = contents.columns.lengths
        self._mean_length = mean_length(totals)
        self._depth = depth
        self._mask = mask
        self._rounding = ROUNDING + ROUNDING_A_TERM * len(found)
        idfs = inverse_document_frequencies(totals).tolist()
        terms = [_Term(parts, idf, self._bound(parts, idf)) for parts, idf in zip(found, idfs, strict=True)]
        self._terms = sorted((term for term in terms if term.count), key=lambda term: -term.bound)
        bounds = np.array([term.bound for term in self._terms])
        # What the terms behind each add at most.
        self._rest = (np.cumsum(bounds[::-1])[::-1] - bounds).tolist()
        self._least = 0.0

    def run(self) -> Slots:
        """The candidates."""
        scores, rest, next_term = np.zeros(len(self._lengths), np.float32), float("inf"), 0
        for term, behind in zip(self._terms, self._rest, strict=True):
            if rest < self._limit and self._is_sooner_looked_up(term, scores, rest):
                break
            self._add(scores, term)
            rest, next_term = behind, next_term + 1
        slots = np.flatnonzero(scores >= self._needed(rest))
        if self._mask is not None:
            slots = slots[self._mask[slots]]
        return self._narrowed(slots, scores[slots], next_term)

    def _is_sooner_looked_up(self, term: _Term, scores: Floats, rest: float) -> bool:
        """Whether the term is sooner looked up for what may be among the best than added for all it is in."""
        if term.count * PASS_SHARE < len(scores):
            return False
        return int(np.count_nonzero(scores >= self._needed(rest))) * LOOK_UP_COST < term.count

    def _needed(self, rest: float) -> float:
        """The score of what may be among the best, if the terms behind add so much at most; it is above 0."""
        return max(self._limit - rest, LEAST)

    def _add(self, scores: Floats, term: _Term) -> None:
        """Add what a term gives, and see what the best have at least."""
        grown = []
        for part in term.parts:
            slots = part.slots.astype(np.intp)  # once: NumPy would convert them whenever they pick something
            more = scores.take(slots) + self._gains(part.frequencies, self._lengths.take(slots), term.idf)
            scores[slots] = more
            grown.append(more if self._mask is None else more[self._mask.take(slots)])
        self._look(grown[0] if len(grown) == 1 else np.concatenate(grown))

    def _narrowed(self, slots: Slots, scores: Floats, next_term: int) -> Slots:
        """Leave out, term by term, what cannot be among the best any more."""
        for term, rest in zip(self._terms[next_term:], self._rest[next_term:], strict=True):
            if len(slots) <= max(ENOUGH, 2 * self._depth):
                break
            scores = scores + self._looked_up(slots, term)
            self._look(scores)
            kept = scores + rest >= self._limit
            slots, scores = slots[kept], scores[kept]
        return slots

    def _looked_up(self, slots: Slots, term: _Term) -> Floats:
        table = occurrences_in(term.parts, slots)
        return self._gains(table, self._lengths[slots], term.idf)

    def _look(self, scores: Floats) -> None:
        """Learn from the scores of different memories that are let through, which may still grow."""
        scores = scores[scores > self._least]
        if len(scores) >= self._depth:
            self._least = float(np.partition(scores, -self._depth)[-self._depth])

    @property
    def _limit(self) -> float:
        """What has less is not among the best."""
        return self._least * (1.0 - self._rounding)

    def _gains(self, frequencies: NDArray[Any], lengths: NDArray[Any], idf: float) -> Floats:
        """What a term adds, about."""
        return bm25_term(frequencies.astype(np.float32), lengths.astype(np.float32), self._mean_length, idf)

    def _bound(self, parts: Sequence[Occurrences], idf: float) -> float:
        """The most that a term adds to the score of any memory."""
        highest = max((self._highest(part, idf) for part in parts if len(part.slots)), default=0.0)
        return highest * (1.0 + self._rounding)

    def _highest(self, part: Occurrences, idf: float) -> float:
        if part.profile is None:
            return float(self._gains(part.frequencies, self._lengths[part.slots], idf).max())
        shortest, most = part.profile
        frequencies = np.array([1, 2, 3, most], np.float32)
        there = np.isfinite(shortest)
        return float(self._gains(frequencies[there], shortest[there], idf).max())


def occurrences_in(parts: Sequence[Occurrences], slots: Slots) -> NDArray[np.float64]:
    """How often a term occurs in each of these slots."""
    # The type of what is searched: NumPy would convert all of that.
    found, wanted = np.zeros(len(slots)), slots.astype(np.int32)
    for part in parts:
        if len(part.slots):
            places = np.minimum(part.slots.searchsorted(wanted), len(part.slots) - 1)
            found += np.where(part.slots[places] == wanted, part.frequencies[places], 0)
    return found
