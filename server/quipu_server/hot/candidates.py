"""What ranking needs to know of the memories that were found."""

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Evidence, Revisions, Vector
from quipu_server.hot import words
from quipu_server.hot.columns import NEVER
from quipu_server.hot.contents import Contents, Slots
from quipu_server.hot.words import Matches
from quipu_server.scoring import cosines

NO_SPAN = -1


def evidence(
    contents: Contents,
    revisions: Revisions,
    query: Vector | None,
    found: Matches | None,
    bm25: NDArray[np.float64] | None,
) -> Evidence:
    """Evidence for memories of these contents.

    found: the words of the query; bm25: the scores of all slots for them.
    """
    columns = contents.columns
    slots = np.searchsorted(columns.revisions, revisions)
    best_cosines, spans = _compare(contents, slots, query)
    if len(contents.unembedded):
        best_cosines[np.isin(slots, contents.unembedded)] = np.nan
    return Evidence(
        revisions=revisions,
        memory_ids=columns.texts["id"].decode(slots),
        cosines=best_cosines,
        bm25=np.zeros(len(slots)) if bm25 is None else bm25[slots],
        importances=columns.importances[slots],
        recency_times=_recency_times(contents, slots),
        spans=spans,
        matched=np.zeros((len(slots), 0), np.bool_) if found is None else words.matched(contents, found, slots),
    )


def _compare(contents: Contents, slots: Slots, query: Vector | None) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """The cosine of the best chunk of each slot, and its span if the slot has several chunks."""
    spans = np.full((len(slots), 2), NO_SPAN, np.int32)
    if query is None or not len(slots):
        return np.full(len(slots), np.nan), spans
    rows, begins = contents.rows_of(slots)
    scores = cosines(contents.codes(rows), query)
    if len(rows) == len(slots):
        return scores, spans
    highest = np.maximum.reduceat(scores, begins)
    counts = np.diff(begins, append=len(rows))
    places = np.flatnonzero(scores == np.repeat(highest, counts))
    firsts = places[np.searchsorted(places, begins)]
    several = counts > 1
    spans[several] = contents.columns.spans[rows[firsts[several]]]
    return highest, spans


def _recency_times(contents: Contents, slots: Slots) -> NDArray[np.float64]:
    """Seconds since 1970: event time, else creation."""
    happened, created = (contents.columns.times[name][slots] for name in ("event_time", "create_time"))
    return np.where(happened == NEVER, created, happened) / 1e6
