"""How the nearest are looked for: what is expected to cost the least."""

from enum import StrEnum

import numpy as np

from quipu_server.hot.contents import Contents
from quipu_server.hot.segment import Mask

FEW_ROWS = 64
"""So many rows are compared one by one sooner than FAISS has gone through a mask."""

ROWS_A_FEW = 128
"""In a large index, so many rows of a mask cost FAISS what comparing one row costs."""

PASS_NS, COMPARE_NS, GATHER_NS, STEP_NS = 2.0, 100.0, 140.0, 2_500.0
"""Measured with 384 dimensions and codes of 8 bits: to pass over a row that a mask holds back, to compare one that it
lets through, to gather and compare a row, and to widen a walk by one row."""

BREADTH_A_ROW = 2
"""A walk keeps so many rows in view for each to be found: of fewer, too many would be missed."""


class Plan(StrEnum):
    """Values of `SpaceAnswer.plan` in the API."""

    EXACT = "exact"
    FEW = "few"
    HNSW = "hnsw"
    HNSW_EXACT = "hnsw, exact"


def choose(contents: Contents, fetch: int, mask: Mask | None) -> Plan:
    """The plan to find `fetch` rows, of those that the mask over rows lets through."""
    rows = contents.row_count
    matching = rows if mask is None else int(np.count_nonzero(mask))
    if contents.graph is None:
        is_few = mask is not None and matching <= max(FEW_ROWS, rows // ROWS_A_FEW)
        return Plan.FEW if is_few else Plan.EXACT
    tail = rows - len(contents.graph.codes)
    costs = {
        Plan.FEW: GATHER_NS * matching,
        Plan.EXACT: PASS_NS * rows + COMPARE_NS * matching,
        Plan.HNSW: STEP_NS * breadth(contents.graph.breadth, fetch, rows, matching) + COMPARE_NS * tail,
    }
    return min(costs, key=lambda plan: costs[plan])


def breadth(least: int, fetch: int, rows: int, matching: int) -> int:
    """How many rows a walk must keep in view so that enough of them are among those that match."""
    return max(least, BREADTH_A_ROW * fetch * rows // max(matching, 1))
