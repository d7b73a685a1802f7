"""The memories nearest to a query vector."""

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Vector
from quipu_server.hot.codes import Rows
from quipu_server.hot.contents import Contents, Slots
from quipu_server.hot.ordering import best_slots
from quipu_server.hot.planning import FEW_ROWS, ROWS_A_FEW, Plan, breadth, choose
from quipu_server.hot.segment import Mask, Nearest, Part
from quipu_server.scoring import cosines

ScoreT = TypeVar("ScoreT", np.float32, np.float64)

GATHERED_ROWS = 512
"""So many rows have their exact codes fetched sooner than FAISS has compared those it holds."""

MARGIN = 16
"""Rows fetched beyond those wanted, so that approximate scores seldom leave the end of the list in doubt."""

WIDENING = 4

WALKS = 2
"""After so many walks that came back short, rows are gone through."""

UNIT_ROUNDOFF = 2.0**-24
"""Of float32, in which FAISS and BLAS sum."""


class Found(NamedTuple):
    """Slots, best first, and how they were found."""

    slots: Slots
    plan: Plan


def nearest(contents: Contents, query: Vector, depth: int, mask: Mask | None) -> Slots:
    """The `depth` slots, of those that the mask lets through, with the highest cosine of their best chunk."""
    return search(contents, query, depth, mask).slots


def search(contents: Contents, query: Vector, depth: int, mask: Mask | None) -> Found:
    """The same, with the plan. With a graph a few of the `depth` may be others; fewer there are only of all."""
    if not contents.row_count:
        return Found(np.empty(0, np.int64), Plan.EXACT)
    mask = contents.embedded(mask)
    most = min(depth, len(contents.live) if mask is None else int(np.count_nonzero(mask)))
    if mask is not None and not contents.columns.one_row_a_slot:
        mask = mask[contents.columns.row_slots]
    plan = choose(contents, depth + MARGIN, mask)
    rows = _walk(contents, query, depth, most, mask) if plan is Plan.HNSW else None
    if rows is None:
        plan = Plan.HNSW_EXACT if plan is Plan.HNSW else plan
        rows = _promising(contents, query, depth, mask)
    slots, scores = _best_chunks(contents, rows, cosines(contents.codes(rows), query))
    return Found(best_slots(contents, slots, scores, depth), plan)


def _walk(contents: Contents, query: Vector, depth: int, most: int, mask: Mask | None) -> Rows | None:
    """Rows with about the nearest memories, `most` of them; None when walks come back with too few."""
    graph = contents.graph
    if graph is None:
        return None
    here = None if mask is None else mask[: len(graph.codes)]
    matching = len(graph.codes) if here is None else int(np.count_nonzero(here))
    fetch = depth + MARGIN
    for _ in range(WALKS):
        width = breadth(graph.breadth, fetch, len(graph.codes), matching)
        walked = graph.walk(query, fetch, width, here)
        found = _together([walked, *_search(contents.parts[1:], query, fetch, mask)])
        if (
            len(walked.rows) >= min(fetch, matching)
            and len(_best_chunks(contents, found.rows, found.scores)[0]) >= most
        ):
            return found.rows[found.scores >= _limit(contents, found, query, depth)]
        fetch *= WIDENING
    return None


def _promising(contents: Contents, query: Vector, depth: int, mask: Mask | None) -> Rows:
    """Rows among which the `depth` best memories are, with everything that may equal the last of them."""
    if mask is not None and np.count_nonzero(mask) <= _few(contents):
        return np.flatnonzero(mask)
    fetch = depth + MARGIN
    while True:
        found = _together(_search(contents.parts, query, fetch, mask))
        limit = _limit(contents, found, query, depth)
        if found.unseen < limit or found.unseen == -np.inf:
            rows: Rows = found.rows[found.scores >= limit]
            return rows
        fetch *= WIDENING


def _few(contents: Contents) -> int:
    """So many rows need no approximate scores."""
    return GATHERED_ROWS if contents.graph else max(FEW_ROWS, contents.row_count // ROWS_A_FEW)


def _limit(contents: Contents, found: Nearest, query: Vector, depth: int) -> float:
    """What has a lower approximate score is not among the `depth` best."""
    length = math.sqrt(query.dot(query))
    error = max(part.error for part in contents.parts) + 1.05 * (len(query) + 1) * UNIT_ROUNDOFF
    # Twice: one score is ahead of the limit, one behind.
    return _score_at(contents, found, depth) - 2.0 * error * length


def _search(parts: Sequence[Part], query: Vector, fetch: int, mask: Mask | None) -> Sequence[Nearest]:
    """The nearest rows of each part."""
    found = []
    for part in parts:
        here = None if mask is None else mask[part.first_row : part.first_row + len(part.codes)]
        found.append(part.search(query, fetch, here))
    return found


def _together(found: Sequence[Nearest]) -> Nearest:
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
