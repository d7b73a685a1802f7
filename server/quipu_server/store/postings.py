"""Which memories of a space contain given terms, read from PostgreSQL, and how well they match."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Revisions, TermStatistics
from quipu_server.scoring import best, bm25_term, inverse_document_frequencies, mean_length


@dataclass(frozen=True, slots=True)
class Postings:
    """Occurrences of terms in memories: `frequencies[i]` times term `terms[i]` in memory `rows[i]`.

    rows, terms: places among the memories, and among the terms asked for.
    """

    revisions: Revisions
    memory_ids: Sequence[str]
    lengths: NDArray[np.float64]
    rows: NDArray[np.intp]
    terms: NDArray[np.intp]
    frequencies: NDArray[np.float64]
    asked: tuple[str, ...]

    def statistics(self, document_count: int, total_length: int) -> TermStatistics:
        """Statistics of a space with so many memories and words; the postings must be those of all its memories."""
        return TermStatistics(document_count, total_length, np.bincount(self.terms, minlength=len(self.asked)))

    def matched(self) -> NDArray[np.bool_]:
        """Which terms each memory contains: shape (memories, terms)."""
        matched = np.zeros((len(self.revisions), len(self.asked)), dtype=np.bool_)
        matched[self.rows, self.terms] = True
        return matched

    def scores(self, statistics: TermStatistics) -> NDArray[np.float64]:
        """BM25 of each memory, summed in the order of the terms."""
        scores = np.zeros(len(self.revisions))
        mean = mean_length(statistics)
        for term, idf in enumerate(inverse_document_frequencies(statistics).tolist()):
            chosen = self.terms == term
            rows = self.rows[chosen]
            scores[rows] += bm25_term(self.frequencies[chosen], self.lengths[rows], mean, idf)
        return scores

    def best(self, statistics: TermStatistics, depth: int, among: Revisions) -> Revisions:
        """The `depth` best with a score above 0 of those whose revisions are given."""
        scores = self.scores(statistics)
        places = np.flatnonzero((scores > 0.0) & np.isin(self.revisions, among))
        if len(places) > depth:
            # Only those that can be among the best are worth ordering by id.
            least = np.partition(scores[places], -depth)[-depth]
            places = places[scores[places] >= least]
        return best(
            self.revisions[places], scores[places], [self.memory_ids[place] for place in places.tolist()], depth
        )


def to_postings(found: Iterable[Sequence[Any]], asked: Sequence[str]) -> Postings:
    """Postings from rows of revision, memory id, length, terms among those asked for, and how often each occurs."""
    places = {term: place for place, term in enumerate(asked)}
    documents = list(found)
    occurrences = [
        (row, places[term], frequency)
        for row, (*_, terms, frequencies) in enumerate(documents)
        for term, frequency in zip(terms, frequencies, strict=True)
    ]
    rows, terms, frequencies = np.array(occurrences, dtype=np.int64).reshape(-1, 3).T
    return Postings(
        np.array([document[0] for document in documents], dtype=np.int64),
        [document[1] for document in documents],
        np.array([document[2] for document in documents], dtype=np.float64),
        rows,
        terms,
        frequencies.astype(np.float64),
        tuple(asked),
    )
