"""The index of one space: one thread writes it, any may read what was published."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import numpy as np

from quipu_server.domain import Change, IndexRow
from quipu_server.hot.columns import GrowingColumns, microseconds
from quipu_server.hot.contents import Contents
from quipu_server.hot.delta import GrowingDelta
from quipu_server.hot.segment import Segment
from quipu_server.hot.vocabulary import STRING_BYTES, Vocabulary

FREEZE_ROWS = 256
"""Rows of a delta that becomes a segment: going through so many costs what a call of FAISS does."""

MERGE_RATIO = 4
"""A segment becomes at least so many times as large as all after it, so that few of them cover many rows."""

SPARE_DEAD = 1_024
"""Dead slots that are not worth building an index anew."""

FOREVER = np.iinfo(np.int64).max


class LogGap(Exception):
    """The rows to follow do not continue what the index holds: it cannot be trusted any more."""


class HotIndex:
    """Follows the log of a space.

    `append`, `publish` and `follow` are for one thread at a time, `merge` for another. After a failed `append` the
    index is of no use.
    """

    def __init__(self) -> None:
        self._columns = GrowingColumns()
        self._vocabulary = Vocabulary()
        self._newest: dict[str, int] = {}
        self._live = np.empty(0, np.bool_)
        self._total_length = 0
        self._earliest_expiry = FOREVER
        self._frozen: list[Segment] = []
        self._delta: GrowingDelta | None = None
        self._publishing = threading.Lock()
        self._contents = self._at(0, 0, ())

    @classmethod
    def restore(cls, contents: Contents) -> Self:
        """An index that goes on from contents that no other writes to."""
        index = cls()
        live = np.flatnonzero(contents.live)
        index._columns = GrowingColumns.restore(contents.columns)
        index._vocabulary = contents.vocabulary
        index._newest = dict(zip(contents.columns.texts["id"].decode(live), live.tolist(), strict=True))
        index._live, index._total_length = contents.live, contents.total_length
        index._earliest_expiry = contents.earliest_expiry
        index._delta = GrowingDelta.restore(contents.delta) if contents.delta else None
        index._contents = contents
        return index

    @property
    def contents(self) -> Contents:
        """What was published last."""
        return self._contents

    @property
    def nbytes(self) -> int:
        """Memory it holds, about."""
        whole = self._columns.nbytes + self._vocabulary.nbytes + self._live.nbytes + STRING_BYTES * len(self._newest)
        segments = sum(segment.nbytes for segment in (*self._contents.segments, *self._frozen))
        return whole + segments + (self._delta.nbytes if self._delta else 0)

    @property
    def is_worn(self) -> bool:
        """Whether it holds so much that is dead that a new one should be built."""
        return len(self._columns) > 2 * len(self._newest) + SPARE_DEAD

    def follow(self, rows: Sequence[IndexRow]) -> None:
        """Append the next rows of the log and publish. Raises LogGap."""
        if not rows:
            return
        first = self._contents.revision + 1
        if [row.revision for row in rows] != list(range(first, first + len(rows))):
            raise LogGap(f"revision {first} does not come next")
        self.append(rows)
        self.publish(first + len(rows) - 1, rows[-1].nonce)

    def append(self, rows: Sequence[IndexRow]) -> None:
        """Take in rows of the log, by revision. Raises LogGap when one deletes what is not there."""
        first_slot = len(self._columns)
        made: list[IndexRow] = []
        ended: list[int] = []
        for row in rows:
            before = self._newest.pop(row.memory_id, None)
            if before is not None:
                ended.append(before)
            if row.change is not Change.DELETED:
                self._newest[row.memory_id] = first_slot + len(made)
                made.append(row)
            elif before is None:
                raise LogGap(f"revision {row.revision} deletes a memory that is not there")
        if made:
            self._add(made)
        self._end(ended)

    def publish(self, revision: int, nonce: int = 0) -> None:
        """Let readers see what was appended. nonce: of the write that made the revision."""
        with self._publishing:
            self._contents = self._at(revision, nonce, (*self._contents.segments, *self._frozen))
        self._frozen = []

    @property
    def is_scattered(self) -> bool:
        """Whether it has segments to merge."""
        return len(_alike(self._contents.segments)) > 1

    def merge(self) -> None:
        """Join the last segments that are alike. They are replaced when the joint one is ready."""
        alike = _alike(self._contents.segments)
        joint = Segment.join(alike)
        with self._publishing:
            segments = self._contents.segments
            place = segments.index(alike[0])
            segments = (*segments[:place], joint, *segments[place + len(alike) :])
            self._contents = replace(self._contents, segments=segments)

    def _add(self, rows: Sequence[IndexRow]) -> None:
        """Give the next slots to these memories."""
        if self._delta is None:
            self._delta = GrowingDelta(self._columns.row_count, rows[0].codes.shape[1])
        self._delta.extend(rows, len(self._columns), self._vocabulary)
        self._columns.extend(rows)
        self._total_length += sum(row.length for row in rows)
        expiries = [microseconds(row.expire_time) for row in rows if row.expire_time is not None]
        self._earliest_expiry = min(self._earliest_expiry, *expiries, FOREVER)
        if self._delta.row_count >= FREEZE_ROWS:
            self._frozen.append(self._delta.freeze())
            self._delta = None

    def _end(self, slots: list[int]) -> None:
        """Set which slots are live: those before, and the new ones, without these."""
        live = np.ones(len(self._columns), np.bool_)
        live[: len(self._live)] = self._live
        live[slots] = False
        self._live = live
        self._total_length -= int(self._columns.lengths[slots].sum())

    def _at(self, revision: int, nonce: int, segments: tuple[Segment, ...]) -> Contents:
        return Contents(
            revision=revision,
            nonce=nonce,
            columns=self._columns.view(),
            vocabulary=self._vocabulary,
            segments=segments,
            delta=self._delta.view() if self._delta else None,
            live=self._live,
            live_count=len(self._newest),
            total_length=self._total_length,
            earliest_expiry=self._earliest_expiry,
        )


def _alike(segments: Sequence[Segment]) -> Sequence[Segment]:
    """The last segments, up to one that is much larger than those after it together."""
    row_count, start = 0, len(segments)
    while start and (not row_count or len(segments[start - 1].codes) < MERGE_RATIO * row_count):
        start -= 1
        row_count += len(segments[start].codes)
    return segments[start:]
