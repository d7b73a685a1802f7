"""The index of one space: one thread writes it, any may read what was published."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self
from weakref import ref

import numpy as np

from quipu_server.domain import Change, IndexRow
from quipu_server.hot.columns import GrowingColumns, microseconds
from quipu_server.hot.condensing import CONDENSER, Condenser, condense
from quipu_server.hot.contents import Contents
from quipu_server.hot.delta import GrowingDelta
from quipu_server.hot.graph import GraphSegment
from quipu_server.hot.merging import exact_ones, runs_to_join
from quipu_server.hot.newest import Newest
from quipu_server.hot.segment import Segment
from quipu_server.hot.sessions import GrowingSessions
from quipu_server.hot.tuning import DEFAULT_TUNING, Tuning
from quipu_server.hot.vocabulary import Vocabulary

FREEZE_ROWS = 256
"""Rows of a delta that becomes a segment: going through so many costs what a call of FAISS does."""

SPARE_DEAD = 1_024
"""Dead slots that are not worth building an index anew."""

FOREVER = np.iinfo(np.int64).max


NO_SPAN = -1


class LogGap(Exception):
    """The rows to follow do not continue what the index holds: it cannot be trusted any more."""


class HotIndex:
    """Follows the log of a space.

    `append`, `publish` and `follow` are for one thread at a time, `merge` for another. After a failed `append` the
    index is of no use. Graphs are built by a thread of the condenser, if there is one; a merge asks for one when it is
    due. `on_graph` is called by that thread when it is done.
    """

    def __init__(self, tuning: Tuning = DEFAULT_TUNING, condenser: Condenser | None = CONDENSER) -> None:
        self.tuning = tuning
        self._condenser = condenser
        self._claimed: Sequence[Segment | GraphSegment] = ()
        self._may_condense = True
        self.holds_erased = False
        """Whether it may hold something of memories that were erased, though no search finds it."""
        self.on_graph: Callable[[], object] = lambda: None
        self._columns = GrowingColumns()
        self._vocabulary = Vocabulary()
        self._newest = Newest()
        self._live = np.empty(0, np.bool_)
        self._total_length = 0
        self._sessions = GrowingSessions()
        self._earliest_expiry = FOREVER
        self._unembedded: set[int] = set()
        self._frozen: list[Segment] = []
        self._delta: GrowingDelta | None = None
        self._publishing = threading.Lock()
        self._merging = threading.Lock()
        self._contents = self._at(0, 0, ())

    @classmethod
    def restore(
        cls, contents: Contents, tuning: Tuning = DEFAULT_TUNING, condenser: Condenser | None = CONDENSER
    ) -> Self:
        """An index that goes on from contents that no other writes to."""
        index = cls(tuning, condenser)
        live = np.flatnonzero(contents.live)
        index._columns = GrowingColumns.restore(contents.columns)
        index._vocabulary = contents.vocabulary
        index._newest = Newest.restore(contents.columns.texts["id"].codes[live], live)
        index._live, index._total_length = contents.live, contents.total_length
        index._earliest_expiry = contents.earliest_expiry
        index._unembedded = set(contents.unembedded.tolist())
        index._sessions = GrowingSessions.of(contents.columns, contents.live)
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
        whole = self._columns.nbytes + self._vocabulary.nbytes + self._live.nbytes + self._newest.nbytes
        segments = sum(segment.nbytes for segment in (*self._contents.segments, *self._frozen))
        whole += self._sessions.nbytes
        return whole + segments + (self._delta.nbytes if self._delta else 0) + self._coming_bytes

    @property
    def _coming_bytes(self) -> int:
        """What a graph that is due or being built takes beside all that is there until it is done."""
        if not self._claimed and not self.is_bulky:
            return 0
        segments = self._claimed or self._contents.segments
        row_count = sum(len(segment.codes) for segment in segments)
        words = sum(segment.postings.nbytes for segment in segments)
        return words + row_count * self.tuning.graph_row_bytes(row_count, segments[0].codes.shape[1])

    @property
    def is_worn(self) -> bool:
        """Whether it holds what must be gone, or so much that is dead, that a new one should be built."""
        return self.holds_erased or len(self._columns) > 2 * len(self._newest) + SPARE_DEAD

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
        """Take in rows of the log, by revision."""
        first_slot = len(self._columns)
        made: list[IndexRow] = []
        ended: list[int] = []
        for row in rows:
            code = self._columns.code_of(row.memory_id)
            before = self._newest.take(code)
            if before is not None:
                ended.append(before)
            if row.change.is_live:
                self._newest.put(code, first_slot + len(made))
                made.append(row)
            self.holds_erased |= row.change is Change.ERASED
        if made:
            self._add(made)
        self._end(ended)
        self._sessions.append(self._columns.view(), np.array(ended, np.int64))

    def publish(self, revision: int, nonce: int = 0) -> None:
        """Let readers see what was appended. nonce: of the write that made the revision."""
        with self._publishing:
            self._contents = self._at(revision, nonce, (*self._contents.segments, *self._frozen))
        self._frozen = []

    @property
    def is_scattered(self) -> bool:
        """Whether it has segments to merge."""
        return len(self._runs()) > 0

    def merge(self) -> None:
        """Join segments that are alike, and ask for a graph where there are too many rows to go through.

        Segments are replaced when the joint one is ready.
        """
        for _ in self._runs():
            self._join_a_run()
        for vocabulary in (self._vocabulary, *self._columns.vocabularies):
            if vocabulary.is_loose:
                vocabulary.pack()
        self._ask_for_graph()

    def _ask_for_graph(self) -> None:
        if self._condenser is not None and self.is_bulky:
            self._condenser.request(self)

    def _join_a_run(self) -> None:
        with self._merging:
            if runs := self._runs():
                self._replace(runs[0], Segment.join(runs[0]))

    @property
    def is_bulky(self) -> bool:
        """Whether it has more rows to go through than it should."""
        row_count = sum(len(segment.codes) for segment in exact_ones(self._contents.segments))
        return self._may_condense and not self._claimed and row_count > self.tuning.graph_rows

    def condense(self) -> None:
        """Build the graph that is due, here and now."""
        condense(ref(self))

    def claim(self) -> Sequence[Segment | GraphSegment]:
        """The segments that a graph is to replace: all, or none if none is due. They are not merged meanwhile."""
        with self._merging:
            if not self.is_bulky:
                return ()
            self._claimed = self._contents.segments
            return self._claimed

    def install(self, claimed: Sequence[Segment | GraphSegment], graph: GraphSegment | None) -> None:
        """Put a graph in the place of what was claimed. None: it could not be built, and is not tried again."""
        with self._merging:
            if graph is not None:
                self._replace(claimed, graph)
            self._may_condense = graph is not None
            self._claimed = ()
        self.on_graph()
        self._ask_for_graph()  # for what was written meanwhile; a merge may not come any more

    def _runs(self) -> Sequence[Sequence[Segment]]:
        segments = self._contents.segments[len(self._claimed) :]
        return runs_to_join(exact_ones(segments), self.tuning.graph_rows)

    def _replace(self, old: Sequence[Segment | GraphSegment], new: Segment | GraphSegment) -> None:
        """Let readers see a segment instead of some that follow each other."""
        with self._publishing:
            segments = self._contents.segments
            place = segments.index(old[0])
            segments = (*segments[:place], new, *segments[place + len(old) :])
            self._contents = replace(self._contents, segments=segments)

    def _add(self, rows: Sequence[IndexRow]) -> None:
        """Give the next slots to these memories."""
        first_slot = len(self._columns)
        self._unembedded |= {first_slot + place for place, row in enumerate(rows) if not len(row.codes)}
        rows = [row if len(row.codes) else standing_in(row) for row in rows]
        if self._delta is None:
            self._delta = GrowingDelta(self._columns.row_count, rows[0].codes.shape[1])
        self._delta.extend(rows, len(self._columns), self._vocabulary)
        self._columns.extend(rows)
        self._total_length += sum(row.length for row in rows)
        expiries = [microseconds(row.expire_time) for row in rows if row.expire_time is not None]
        self._earliest_expiry = min(self._earliest_expiry, *expiries, FOREVER)
        if self._delta.row_count >= FREEZE_ROWS:
            self._frozen.append(self._delta.freeze(self._columns.lengths))
            self._delta = None

    def _end(self, slots: list[int]) -> None:
        """Set which slots are live: those before, and the new ones, without these."""
        live = np.ones(len(self._columns), np.bool_)
        live[: len(self._live)] = self._live
        live[slots] = False
        self._live = live
        self._unembedded.difference_update(slots)
        self._total_length -= int(self._columns.lengths[slots].sum())

    def _at(self, revision: int, nonce: int, segments: tuple[Segment | GraphSegment, ...]) -> Contents:
        columns = self._columns.view()
        return Contents(
            revision=revision,
            nonce=nonce,
            columns=columns,
            vocabulary=self._vocabulary,
            segments=segments,
            delta=self._delta.view() if self._delta else None,
            live=self._live,
            live_count=len(self._newest),
            total_length=self._total_length,
            earliest_expiry=self._earliest_expiry,
            unembedded=np.fromiter(self._unembedded, np.int64, len(self._unembedded)),
            sessions=self._sessions.view(columns),
        )


def standing_in(row: IndexRow) -> IndexRow:
    """The row of a memory without vectors, with one of zeros, so that each slot has rows; its span says so."""
    return replace(row, codes=np.zeros((1, row.codes.shape[1]), np.float16), spans=np.full((1, 2), NO_SPAN, np.int32))
