"""Tells what an index holds, and what it finds of that."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Head, Space, Vector
from quipu_server.hot import dense
from quipu_server.hot.budget import Budget
from quipu_server.hot.contents import Contents, Slots
from quipu_server.hot.loading import Loader
from quipu_server.hot.ordering import best_slots
from quipu_server.hot.resident import Resident
from quipu_server.hot.snapshot_store import Saved
from quipu_server.indexes import IndexReport, IndexState, SegmentReport, SnapshotReport
from quipu_server.measuring import Sample
from quipu_server.measuring.metrics import HOT_BYTES, HOT_LAG, HOT_LIMIT_BYTES, HOT_LOADS, HOT_SPACES
from quipu_server.scoring import cosines

NEAREST = 10
"""Compared in a check of recall."""

BATCH_ROWS = 65_536
"""Compared at once, in 0.3 GB."""


def report(space: Space, head: Head, resident: Resident | None, saved: Saved | None) -> IndexReport:
    """What is held of a space."""
    snapshot = None
    if saved is not None and saved.nbytes:
        snapshot = SnapshotReport(saved.revision, datetime.fromtimestamp(saved.time_s, UTC), saved.nbytes)
    if resident is None:
        return IndexReport(space, IndexState.COLD, head.revision, snapshot=snapshot)
    if (contents := resident.contents) is None:
        state = IndexState.LOADING if resident.is_loading else IndexState.COLD
        return IndexReport(space, state, head.revision, resident.nbytes, snapshot=snapshot)
    return IndexReport(
        space,
        IndexState.HOT,
        max(head.revision, contents.revision),
        resident.nbytes,
        contents.revision,
        contents.live_count,
        [SegmentReport(segment.kind, len(segment.codes), segment.nbytes) for segment in contents.segments],
        len(contents.delta.codes) if contents.delta else 0,
        snapshot,
    )


def samples(budget: Budget[UUID], residents: Collection[Resident], loader: Loader) -> Iterable[Sample]:
    """What is held of all spaces."""
    yield HOT_BYTES.of(budget.used_bytes)
    yield HOT_LIMIT_BYTES.of(budget.limit_bytes)
    yield HOT_SPACES.of(len(residents))
    yield HOT_LAG.of(max((resident.lag for resident in residents), default=0))
    yield from (HOT_LOADS.of(count, source) for source, count in loader.outcomes.items())


def sample_of(contents: Contents, size: int) -> Slots:
    """Live memories at random."""
    live = np.flatnonzero(contents.live)
    return np.random.default_rng().choice(live, min(size, len(live)), replace=False)


def recall_of(contents: Contents, slot: int) -> float:
    """The share of the memories nearest to one that the index finds."""
    rows, _ = contents.rows_of(np.array([slot]))
    query = contents.codes(rows[:1])[0].astype(np.float32)
    found = dense.nearest(contents, query, NEAREST, None if contents.all_live else contents.live)
    return float(np.isin(_nearest(contents, query), found).mean())


def _nearest(contents: Contents, query: Vector) -> Slots:
    """The nearest live memories, by comparing every vector."""
    best: NDArray[np.float64] = np.full(len(contents.live), -np.inf)
    for start in range(0, contents.row_count, BATCH_ROWS):
        rows = np.arange(start, min(start + BATCH_ROWS, contents.row_count))
        np.maximum.at(best, contents.columns.row_slots[rows], cosines(contents.codes(rows), query))
    live = np.flatnonzero(contents.live)
    return best_slots(contents, live, best[live], NEAREST)
