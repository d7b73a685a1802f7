"""What ranking needs to know of the memories that were found."""

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Evidence, Revisions, Role, TermStatistics, Vector
from quipu_server.hot.columns import NEVER, TextColumn, Values
from quipu_server.hot.contents import Contents, Slots
from quipu_server.hot.session_texts import session_texts
from quipu_server.hot.sessions import NO_SESSION
from quipu_server.hot.words import Matches
from quipu_server.scoring import cosines

NO_SPAN = -1

_NUMBERS = {role.name.lower() if role else "": role.value for role in Role}
"""Of roles, by what the column calls them."""


def evidence(
    contents: Contents,
    revisions: Revisions,
    query: Vector | None,
    found: Matches,
    totals: TermStatistics | None,
    *,
    with_sessions: bool,
) -> Evidence:
    """Evidence for memories of these contents.

    found: the words of the query; totals: None for no scores of them.
    """
    columns = contents.columns
    slots = np.searchsorted(columns.revisions, revisions)
    best_cosines, spans = _compare(contents, slots, query)
    if len(contents.unembedded):
        best_cosines[np.isin(slots, contents.unembedded)] = np.nan
    return Evidence(
        revisions=revisions,
        memory_ids=Values(columns.texts["id"], slots),
        cosines=best_cosines,
        bm25=np.zeros(len(slots)) if totals is None else found.scores_at(slots, totals),
        importances=columns.importances[slots],
        recency_times=_recency_times(contents, slots),
        spans=spans,
        matched=lambda place: found.frequencies(slots[place : place + 1])[:, 0] > 0.0,
        roles=_roles(columns.texts["role"], slots),
        given=columns.given[slots],
        balances=columns.balances[slots].astype(np.int64),
        messages=contents.sessions.session_of[slots] != NO_SESSION,
        sessions=session_texts(contents, slots, found) if with_sessions else None,
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


def _roles(column: TextColumn, slots: Slots) -> NDArray[np.int8]:
    """Numbers of roles; the column has their names."""
    numbers = np.array([_NUMBERS[name] for name in column.vocabulary.values], np.int8)
    return numbers[column.codes[slots]] if len(slots) else np.empty(0, np.int8)
