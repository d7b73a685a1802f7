"""The newest rows of an index."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import IndexRow, Vector, Vectors
from quipu_server.hot.arrays import Growing
from quipu_server.hot.codes import Codes
from quipu_server.hot.postings import Occurrences, Postings
from quipu_server.hot.segment import Mask, Nearest, Segment
from quipu_server.hot.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True, eq=False)
class Delta:
    """A small part, searched by going through it.

    vectors: the codes as float32. terms, slots, frequencies: of every occurrence, by slot.
    """

    first_row: int
    codes: Codes
    vectors: Vectors
    terms: NDArray[np.int32]
    slots: NDArray[np.int32]
    frequencies: NDArray[np.int32]

    @property
    def error(self) -> float:
        return 0.0

    def search(self, query: Vector, count: int, mask: Mask | None) -> Nearest:
        """All rows that the mask lets through."""
        scores = self.vectors @ query
        if mask is None:
            return Nearest(np.arange(self.first_row, self.first_row + len(scores)), scores, -np.inf)
        rows = np.flatnonzero(mask)
        return Nearest(rows + self.first_row, scores[rows], -np.inf)

    def find(self, terms: NDArray[np.int32]) -> Sequence[Occurrences]:
        """The occurrences of each term."""
        places = [np.flatnonzero(self.terms == term) for term in terms.tolist()]
        return [Occurrences(self.slots[some], self.frequencies[some]) for some in places]


class GrowingDelta:
    """Collects rows until they are many enough for a segment."""

    def __init__(self, first_row: int, dimension: int) -> None:
        self._first_row = first_row
        self._codes = Growing(np.float16, dimension)
        self._vectors = Growing(np.float32, dimension)
        self._terms = Growing(np.int32)
        self._slots = Growing(np.int32)
        self._frequencies = Growing(np.int32)

    @classmethod
    def restore(cls, delta: Delta) -> Self:
        """A delta that goes on from this one, which nobody else adds to."""
        grown = cls(delta.first_row, delta.codes.shape[1])
        for name in ("codes", "vectors", "terms", "slots", "frequencies"):
            setattr(grown, f"_{name}", Growing.over(getattr(delta, name)))
        return grown

    @property
    def row_count(self) -> int:
        return len(self._codes)

    @property
    def nbytes(self) -> int:
        return sum(a.nbytes for a in (self._codes, self._vectors, self._terms, self._slots, self._frequencies))

    def extend(self, rows: Sequence[IndexRow], first_slot: int, vocabulary: Vocabulary) -> None:
        """Add memories, which take the slots from `first_slot` on."""
        codes = np.concatenate([row.codes for row in rows])
        self._codes.extend(codes)
        self._vectors.extend(codes)
        self._terms.extend([vocabulary.encode(term) for row in rows for term in row.terms])
        self._frequencies.extend([frequency for row in rows for frequency in row.frequencies])
        self._slots.extend(np.repeat(np.arange(first_slot, first_slot + len(rows)), [len(row.terms) for row in rows]))

    def view(self) -> Delta:
        """What is there now."""
        return Delta(
            self._first_row,
            self._codes.view(),
            self._vectors.view(),
            self._terms.view(),
            self._slots.view(),
            self._frequencies.view(),
        )

    def freeze(self, lengths: NDArray[np.float64]) -> Segment:
        """A segment of all rows. lengths: words by slot."""
        postings = Postings.build(self._terms.view(), self._slots.view(), self._frequencies.view(), lengths)
        return Segment.build(self._first_row, self._codes.view(), postings)
