"""The memories nearest to a query vector."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Vector
from quipu_server.hot.contents import Contents, Slots
from quipu_server.hot.ordering import best_slots
from quipu_server.hot.segment import Mask, Nearest, Rows
from quipu_server.scoring import cosines

ScoreT = TypeVar("ScoreT", np.float32, np.float64)

FEW_ROWS = 64
"""So many rows are compared one by one sooner than FAISS has gone through a mask."""

ROWS_A_FEW = 128
"""In a large index, so many rows of a mask cost FAISS what comparing one row costs."""

MARGIN = 16
"""Rows fetched beyond those wanted, so that approximate scores seldom leave the end of the list in doubt."""

WIDENING = 4

UNIT_ROUNDOFF = 2.0**-24
"""Of float32, in which FAISS and BLAS sum."""


def nearest(contents: Contents, query: Vector, depth: int, mask: Mask | None) -> Slots:
    """The `depth` slots, of those that the mask lets through, with the highest cosine of their best chunk."""
    if not contents.row_count:
        return np.empty(0, np.int64)
    if mask is not None and not contents.columns.one_row_a_slot:
        mask = mask[contents.columns.row_slots]
    rows = _promising(contents, query, depth, mask)
    slots, scores = _best_chunks(contents, rows, cosines(contents.codes(rows), query))
    return best_slots(contents, slots, scores, depth)


def _promising(contents: Contents, query: Vector, depth: int, mask: Mask | None) -> Rows:
    """Rows among which the `depth` best memories are, with everything that may equal the last of them."""
    if mask is not None:
        few = max(FEW_ROWS, len(mask) // ROWS_A_FEW)
        if np.count_nonzero(mask) <= few:
            return np.flatnonzero(mask)
    fetch = depth + MARGIN
    # Twice the error of an approximate score: one of those that are ahead of the limit, one of those behind.
    slack = 2.1 * (len(query) + 1) * UNIT_ROUNDOFF * float(query @ query) ** 0.5
    while True:
        found = _search(contents, query, fetch, mask)
        limit = _score_at(contents, found, depth) - slack
        if found.unseen < limit or found.unseen == -np.inf:
            rows: Rows = found.rows[found.scores >= limit]
            return rows
        fetch *= WIDENING


def _search(contents: Contents, query: Vector, fetch: int, mask: Mask | None) -> Nearest:
    """The nearest rows of all parts together."""
    found = []
    for part in contents.parts:
        here = None if mask is None else mask[part.first_row : part.first_row + len(part.codes)]
        found.append(part.search(query, fetch, here))
    if len(found) == 1:
        return found[0]
    return Nearest(
        np.concatenate([f.rows for f in found]),
        np.concatenate([f.scores for f in found]),
        max(f.unseen for f in found),
    )


def _score_at(contents: Contents, found: Nearest, depth: int) -> float:
    """The `depth`-th highest score of a memory; -inf if there are fewer."""
    _, scores = _best_chunks(contents, found.rows, found.scores)
    return float(np.partition(scores, -depth)[-depth]) if len(scores) >= depth else -np.inf


def _best_chunks(contents: Contents, rows: Rows, scores: NDArray[ScoreT]) -> tuple[Slots, NDArray[ScoreT]]:
    """The slots of some rows, each once, with the highest score of its rows."""
    if contents.columns.one_row_a_slot or not len(rows):
        return rows, scores
    order = np.argsort(rows)
    slots, begins = np.unique(contents.columns.row_slots[rows[order]], return_index=True)
    return slots.astype(np.int64), np.maximum.reduceat(scores[order], begins)
