"""What an index holds at one revision."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from quipu_server.hot.arrays import ranges
from quipu_server.hot.codes import Codes, Rows
from quipu_server.hot.columns import Columns
from quipu_server.hot.delta import Delta
from quipu_server.hot.graph import GraphSegment
from quipu_server.hot.postings import UNKNOWN_TERM, Occurrences
from quipu_server.hot.segment import Mask, Part, Segment
from quipu_server.hot.sessions import Sessions
from quipu_server.hot.vocabulary import Vocabulary

Slots = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Contents:
    """An immutable view of an index: readers take it and need no lock.

    nonce: of the write that made the revision.
    segments, delta: cover all rows, in this order. live: which slots hold the current version of a memory, not deleted.
    total_length: words of the live memories. earliest_expiry: no memory expires before, microseconds since 1970.
    unembedded: slots, of live memories, that have no vector yet; each has one row of zeros, which stands for nothing.
    """

    revision: int
    nonce: int
    columns: Columns
    vocabulary: Vocabulary
    segments: tuple[Segment | GraphSegment, ...]
    delta: Delta | None
    live: Mask
    live_count: int
    total_length: int
    earliest_expiry: int
    sessions: Sessions
    unembedded: Slots = field(default_factory=lambda: np.empty(0, np.int64))

    def embedded(self, mask: Mask | None) -> Mask | None:
        """A mask of slots without those that have no vector yet."""
        if not len(self.unembedded):
            return mask
        some = np.ones(len(self.live), np.bool_) if mask is None else mask.copy()
        some[self.unembedded] = False
        return some

    @property
    def parts(self) -> Sequence[Part]:
        """Segments and delta."""
        return (*self.segments, self.delta) if self.delta else self.segments

    @property
    def graph(self) -> GraphSegment | None:
        """The segment that has a graph: the first, if any."""
        first = self.segments[0] if self.segments else None
        return first if isinstance(first, GraphSegment) else None

    @property
    def graph_rows(self) -> int:
        """Rows that have a graph."""
        return len(self.graph.codes) if self.graph else 0

    @property
    def row_count(self) -> int:
        return len(self.columns.row_slots)

    @property
    def all_live(self) -> bool:
        return self.live_count == len(self.live)

    def occurrences(self, terms: Sequence[str]) -> Sequence[Sequence[Occurrences]]:
        """For each term its occurrences, part by part, in dead slots too."""
        found = [self.vocabulary.find(term) for term in terms]
        known = np.array([UNKNOWN_TERM if code is None else code for code in found], np.int32)
        by_part = [part.find(known) for part in self.parts]
        return [[found[i] for found in by_part] for i in range(len(terms))]

    def codes(self, rows: Rows) -> Codes:
        """Vectors of some rows, shape (rows, dimension)."""
        parts = self.parts
        if len(parts) == 1:
            return parts[0].codes[rows]
        gathered = np.empty((len(rows), parts[0].codes.shape[1]), np.float16)
        for part in parts:
            here = (rows >= part.first_row) & (rows < part.first_row + len(part.codes))
            gathered[here] = part.codes[rows[here] - part.first_row]
        return gathered

    def rows_of(self, slots: Slots) -> tuple[Rows, NDArray[np.int64]]:
        """The rows of some slots, one slot after the other, and where in them each slot's begin."""
        if self.columns.one_row_a_slot:
            return slots, np.arange(len(slots))
        firsts = self.columns.row_starts[slots]
        counts = self.columns.row_starts[slots + 1] - firsts
        return ranges(firsts, counts), np.cumsum(counts) - counts
