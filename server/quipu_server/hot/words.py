"""BM25 over the words of an index."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import TermStatistics
from quipu_server.hot.contents import Contents, Slots
from quipu_server.hot.ordering import best_slots
from quipu_server.hot.postings import Occurrences
from quipu_server.hot.segment import Mask
from quipu_server.scoring import bm25_term, inverse_document_frequencies, mean_length

Floats = NDArray[np.float64]


def statistics(contents: Contents, terms: Sequence[str]) -> TermStatistics:
    """Counts over the live memories."""
    counts = [sum(_live_count(contents, part) for part in parts) for parts in contents.occurrences(terms)]
    return TermStatistics(contents.live_count, contents.total_length, np.array(counts, np.int64))


def best_matches(
    contents: Contents, terms: Sequence[str], totals: TermStatistics, depth: int, mask: Mask | None
) -> Slots:
    """The `depth` slots, of those that the mask lets through, with the highest score above 0."""
    scores = _scores(contents, terms, totals)
    slots = np.flatnonzero(scores if mask is None else (scores > 0.0) & mask)
    return best_slots(contents, slots, scores[slots], depth)


def frequencies(contents: Contents, terms: Sequence[str], slots: Slots) -> Floats:
    """How often each term occurs in each slot, shape (terms, slots)."""
    table = np.zeros((len(terms), len(slots)))
    wanted = slots.astype(np.int32)  # the type of what is searched: NumPy would convert all of that
    for number, parts in enumerate(contents.occurrences(terms)):
        for part in parts:
            if len(part.slots):
                places = np.minimum(part.slots.searchsorted(wanted), len(part.slots) - 1)
                table[number] += np.where(part.slots[places] == wanted, part.frequencies[places], 0)
    return table


def scores_of(table: Floats, lengths: Floats, totals: TermStatistics) -> Floats:
    """Scores of memories with these frequencies, shape (terms, memories), and lengths."""
    idfs = inverse_document_frequencies(totals)[:, None]
    scores: Floats = np.add.reduce(bm25_term(table, lengths, mean_length(totals), idfs), axis=0)
    return scores


def _scores(contents: Contents, terms: Sequence[str], totals: TermStatistics) -> Floats:
    """Scores of all slots; those of a slot's terms are added in the order of the terms."""
    found = contents.occurrences(terms)
    if not (parts := [part for parts in found for part in parts]):
        return np.zeros(len(contents.live))
    slots = np.concatenate([part.slots for part in parts])
    frequencies = np.concatenate([part.frequencies for part in parts], dtype=np.float64)
    counts = [sum(len(part.slots) for part in parts) for parts in found]
    idfs = inverse_document_frequencies(totals).repeat(counts)
    scores = bm25_term(frequencies, contents.columns.lengths[slots], mean_length(totals), idfs)
    summed: Floats = np.bincount(slots, weights=scores, minlength=len(contents.live)).astype(np.float64, copy=False)
    return summed


def _live_count(contents: Contents, part: Occurrences) -> int:
    return len(part.slots) if contents.all_live else int(np.count_nonzero(contents.live[part.slots]))
