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
from quipu_server.scoring import bm25_term, inverse_document_frequencies, mean_length

Floats = NDArray[np.float64]

PLAIN_OCCURRENCES = 30_000
"""So many are added up sooner than they are pruned."""

LOOK_UP_COST = 6
"""To look a term up for one memory costs as much as scoring so many occurrences."""


def statistics(contents: Contents, terms: Sequence[str]) -> TermStatistics:
    """Counts over the live memories."""
    counts = [sum(_live_count(contents, part) for part in parts) for parts in contents.occurrences(terms)]
    return TermStatistics(contents.live_count, contents.total_length, np.array(counts, np.int64))


def best_matches(
    contents: Contents, terms: Sequence[str], totals: TermStatistics, depth: int, mask: Mask | None
) -> Slots:
    """The `depth` slots, of those that the mask lets through, with the highest score above 0."""
    found = contents.occurrences(terms)
    count = sum(len(part.slots) for parts in found for part in parts)
    if count <= PLAIN_OCCURRENCES or not depth:
        return _plain_matches(contents, terms, totals, depth, mask)
    if mask is not None and np.count_nonzero(mask) * len(terms) * LOOK_UP_COST < count:
        slots = np.flatnonzero(mask)
    else:
        slots = pruning.candidates(contents, found, totals, depth, mask)
    scores = scores_of(_table(found, slots), contents.columns.lengths[slots], totals)
    return best_slots(contents, slots[scores > 0.0], scores[scores > 0.0], depth)


def _plain_matches(
    contents: Contents, terms: Sequence[str], totals: TermStatistics, depth: int, mask: Mask | None
) -> Slots:
    """The same, from the scores of all that contain any of the terms."""
    scores = _scores(contents, terms, totals)
    slots = np.flatnonzero(scores if mask is None else (scores > 0.0) & mask)
    return best_slots(contents, slots, scores[slots], depth)


def frequencies(contents: Contents, terms: Sequence[str], slots: Slots) -> Floats:
    """How often each term occurs in each slot, shape (terms, slots)."""
    return _table(contents.occurrences(terms), slots)


def _table(found: Sequence[Sequence[Occurrences]], slots: Slots) -> Floats:
    return np.stack([occurrences_in(parts, slots) for parts in found]) if found else np.zeros((0, len(slots)))


def scores_of(table: Floats, lengths: Floats, totals: TermStatistics) -> Floats:
    """Scores of memories with these frequencies, shape (terms, memories), and lengths; added in the order of terms."""
    idfs = inverse_document_frequencies(totals)[:, None]
    scores = np.zeros(len(lengths))
    # One after the other: NumPy would add the terms of a lone memory in pairs.
    for gains in bm25_term(table, lengths, mean_length(totals), idfs):
        scores += gains
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
    """Occurrences in live slots."""
    return len(part.slots) if contents.all_live else int(np.count_nonzero(contents.live[part.slots]))
