"""BM25 over the words of an index."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import TermStatistics
from quipu_server.hot.contents import Contents, Slots
from quipu_server.hot.ordering import best_slots
from quipu_server.hot.segment import Mask
from quipu_server.scoring import bm25_term, inverse_document_frequencies, mean_length

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Matches:
    """Where the words of a query occur, one after the other, in dead slots too; looked up once for all of a search.

    counts: entries of each term. slots, frequencies: of each entry.
    """

    counts: NDArray[np.int64]
    slots: NDArray[np.int32]
    frequencies: Floats


def find(contents: Contents, terms: Sequence[str]) -> Matches:
    """The occurrences of distinct terms."""
    found = contents.occurrences(terms)
    parts = [part for parts in found for part in parts]
    counts = np.array([sum(len(part.slots) for part in parts) for parts in found], np.int64)
    if not parts:
        return Matches(counts, np.empty(0, np.int32), np.empty(0))
    slots = np.concatenate([part.slots for part in parts])
    return Matches(counts, slots, np.concatenate([part.frequencies for part in parts], dtype=np.float64))


def statistics(contents: Contents, found: Matches) -> TermStatistics:
    """Counts over the live memories."""
    counts = found.counts
    if not contents.all_live:
        before = np.append(0, np.cumsum(contents.live[found.slots]))
        counts = np.diff(before[np.append(0, np.cumsum(counts))])
    return TermStatistics(contents.live_count, contents.total_length, counts)


def scores(contents: Contents, found: Matches, totals: TermStatistics) -> Floats:
    """Scores of all slots; those of a slot's terms are added in the order of the terms."""
    idfs = inverse_document_frequencies(totals).repeat(found.counts)
    added = bm25_term(found.frequencies, contents.columns.lengths[found.slots], mean_length(totals), idfs)
    summed: Floats = np.bincount(found.slots, weights=added, minlength=len(contents.live)).astype(
        np.float64, copy=False
    )
    return summed


def best_matches(contents: Contents, scores: Floats, depth: int, mask: Mask | None) -> Slots:
    """The `depth` slots, of those that the mask lets through, with the highest score above 0."""
    if mask is not None:
        scores = np.where(mask, scores, 0.0)
    least = np.partition(scores, -depth)[-depth] if len(scores) > depth else 0.0
    slots = np.flatnonzero(scores >= least if least > 0.0 else scores > 0.0)
    return best_slots(contents, slots, scores[slots], depth)


def matched(contents: Contents, found: Matches, slots: Slots) -> NDArray[np.bool_]:
    """Which terms each of some slots contains, shape (slots, terms)."""
    table = np.zeros((len(slots), len(found.counts)), np.bool_)
    places = np.full(len(contents.live), -1, np.int32)
    places[slots] = np.arange(len(slots))
    rows = places[found.slots]
    wanted = rows >= 0
    table[rows[wanted], np.arange(len(found.counts)).repeat(found.counts)[wanted]] = True
    return table
