"""Parts of an index that never change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Vector
from quipu_server.hot.codes import CodeFile, Codes, Rows
from quipu_server.hot.postings import Occurrences, Postings

Mask = NDArray[np.bool_]


class Nearest(NamedTuple):
    """Rows of a part that are near a query, with their inner products, about.

    unseen: no other row is nearer than this; -inf when there is none.
    """

    rows: Rows
    scores: NDArray[np.float32]
    unseen: float


class Part(Protocol):
    """Some consecutive rows (vectors) of an index, and the words of their memories."""

    @property
    def first_row(self) -> int: ...
    @property
    def codes(self) -> Codes | CodeFile:
        """Shape (rows, dimension)."""

    @property
    def error(self) -> float:
        """How far scores are off beside the rounding of sums, for a query of unit length, at most."""

    def search(self, query: Vector, count: int, mask: Mask | None) -> Nearest:
        """At least the `count` nearest rows, of those that the mask over this part's rows lets through."""

    def find(self, terms: NDArray[np.int32]) -> Sequence[Occurrences]:
        """The occurrences of each term."""


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A part whose vectors FAISS goes through. `codes` lie in the memory of `index`."""

    kind: ClassVar = "exact"

    first_row: int
    codes: Codes
    postings: Postings
    index: Any

    @classmethod
    def build(cls, first_row: int, codes: Codes, postings: Postings) -> Self:
        """From rows and the occurrences of their words."""
        index = faiss.IndexScalarQuantizer(codes.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        # At once: what is added to an index that is not empty may double the memory it keeps.
        index.add_sa_codes(codes.view(np.uint8))
        return cls(first_row, codes_of(index), postings, index)

    @classmethod
    def join(cls, segments: Sequence["Segment"]) -> Self:
        """One segment of several that follow each other."""
        codes = np.concatenate([segment.codes for segment in segments])
        return cls.build(segments[0].first_row, codes, Postings.join([segment.postings for segment in segments]))

    @property
    def error(self) -> float:
        return 0.0

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.postings.nbytes

    def search(self, query: Vector, count: int, mask: Mask | None) -> Nearest:
        parameters = None if mask is None else faiss.SearchParameters(sel=selector(mask))  # type: ignore[call-arg]
        return nearest(self.index, query, count, parameters, self.first_row)

    def find(self, terms: NDArray[np.int32]) -> Sequence[Occurrences]:
        return self.postings.find(terms)


def codes_of(index: Any) -> Codes:
    """The float16 codes in the memory of an index of FAISS."""
    memory = faiss.rev_swig_ptr(index.codes.data(), index.ntotal * index.code_size)
    return memory.view(np.float16).reshape(index.ntotal, index.d)


def selector(mask: Mask) -> faiss.IDSelector:
    """What lets the rows of a mask through. Made for each search: FAISS allows no sharing between threads."""
    # The stubs know the signatures of SWIG, not those of FAISS's own wrappers, which keep the bitmap alive.
    return faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))  # type: ignore[call-arg,arg-type]


def nearest(index: Any, query: Vector, count: int, parameters: Any, first_row: int) -> Nearest:
    """What an index of FAISS that goes through its rows finds."""
    count = min(count, index.ntotal)
    scores, rows = index.search(query[None, :], count, params=parameters)
    found = int(np.count_nonzero(rows >= 0))
    everything = found < count or count == index.ntotal
    return Nearest(rows[0, :found] + first_row, scores[0, :found], -np.inf if everything else float(scores[0, -1]))
