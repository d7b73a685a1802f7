"""BM25 over the words of an index."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import TermStatistics
from quipu_server.hot import pruning
from quipu_server.hot.contents import Contents, Slots
from quipu_server.hot.ordering import best_slots
from quipu_server.hot.postings import Occurrences
from quipu_server.hot.pruning import occurrences_in
from quipu_server.hot.segment import Mask
from quipu_server.scoring import bm25_scores, bm25_term, inverse_document_frequencies, mean_length

Floats = NDArray[np.float64]

PLAIN_OCCURRENCES = 30_000
"""So many are added up sooner than they are pruned."""

LOOK_UP_COST = 6
"""To look a term up for one memory costs as much as scoring so many occurrences."""


class Matches:
    """Where the distinct words of a query occur in an index, looked up once for all that a search asks of them.

    Few occurrences are scored all at once, for the candidates and their evidence. Of many, those are left alone that
    cannot matter, and the words of the memories that were found are looked up.
    """

    def __init__(self, contents: Contents, terms: Sequence[str]) -> None:
        self._contents = contents
        self.parts = contents.occurrences(terms)
        self._counts = np.array([sum(len(part.slots) for part in parts) for parts in self.parts], np.int64)
        self._is_few = int(self._counts.sum()) <= PLAIN_OCCURRENCES
        self._scored: tuple[TermStatistics, Floats] | None = None

    def statistics(self) -> TermStatistics:
        """Counts over the live memories."""
        contents = self._contents
        counts = self._counts if contents.all_live else self._count_live()
        return TermStatistics(contents.live_count, contents.total_length, counts)

    def _count_live(self) -> NDArray[np.int64]:
        """How many live memories contain each term."""
        live = self._contents.live
        if self.are_sooner_looked_up(len(live) - self._contents.live_count):
            dead = [np.count_nonzero(row) for row in self.frequencies(np.flatnonzero(~live))]
            return self._counts - np.array(dead, np.int64)
        return np.array([sum(np.count_nonzero(live[p.slots]) for p in parts) for parts in self.parts], np.int64)

    def are_sooner_looked_up(self, count: int) -> bool:
        """Whether looking so many memories up costs less than going through all occurrences."""
        return count * len(self.parts) * LOOK_UP_COST < int(self._counts.sum())

    def best(self, totals: TermStatistics, depth: int, mask: Mask | None) -> Slots:
        """The `depth` slots, of those that the mask lets through, with the highest score above 0."""
        contents = self._contents
        if self._is_few or not depth:
            return best_of_all(contents, self.scores(totals), depth, mask)
        if mask is not None and self.are_sooner_looked_up(int(np.count_nonzero(mask))):
            slots = np.flatnonzero(mask)
        else:
            slots = pruning.candidates(contents, self.parts, totals, depth, mask)
        scores = self._looked_up(slots, totals)
        return best_slots(contents, slots[scores > 0.0], scores[scores > 0.0], depth)

    def scores_at(self, slots: Slots, totals: TermStatistics) -> Floats:
        """Scores of some slots."""
        return self.scores(totals)[slots] if self._is_few else self._looked_up(slots, totals)

    def scores(self, totals: TermStatistics) -> Floats:
        """Scores of all slots; those of a slot's terms are added in the order of the terms."""
        if self._scored is None or self._scored[0] is not totals:
            self._scored = totals, self._add_up(totals)
        return self._scored[1]

    def frequencies(self, slots: Slots) -> Floats:
        """How often each term occurs in each slot, shape (terms, slots)."""
        return np.array([occurrences_in(parts, slots) for parts in self.parts]).reshape(len(self.parts), len(slots))

    def _looked_up(self, slots: Slots, totals: TermStatistics) -> Floats:
        """The same scores as those of `scores`."""
        return bm25_scores(self.frequencies(slots), self._contents.columns.lengths[slots], totals)

    def _add_up(self, totals: TermStatistics) -> Floats:
        contents = self._contents
        parts: list[Occurrences] = [part for parts in self.parts for part in parts]
        if not parts:
            return np.zeros(len(contents.live))
        slots = np.concatenate([part.slots for part in parts])
        frequencies = np.concatenate([part.frequencies for part in parts], dtype=np.float64)
        idfs = inverse_document_frequencies(totals).repeat(self._counts)
        gains = bm25_term(frequencies, contents.columns.lengths[slots], mean_length(totals), idfs)
        summed: Floats = np.bincount(slots, weights=gains, minlength=len(contents.live)).astype(np.float64, copy=False)
        return summed


def best_of_all(contents: Contents, scores: Floats, depth: int, mask: Mask | None) -> Slots:
    """The `depth` slots, of those that the mask lets through, with the highest of the scores of all slots above 0."""
    if mask is not None:
        scores = np.where(mask, scores, 0.0)
    least = np.partition(scores, -depth)[-depth] if 0 < depth < len(scores) else 0.0
    slots = np.flatnonzero(scores >= least if least > 0.0 else scores > 0.0)
    return best_slots(contents, slots, scores[slots], depth)
