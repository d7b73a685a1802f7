"""Parts of an index that never change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Vector
from quipu_server.hot.postings import Occurrences, Postings

Codes = NDArray[np.float16]
Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]


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
    def codes(self) -> Codes:
        """Shape (rows, dimension)."""

    def search(self, query: Vector, count: int, mask: Mask | None) -> Nearest:
        """At least the `count` nearest rows, of those that the mask over this part's rows lets through."""

    def find(self, terms: NDArray[np.int32]) -> Sequence[Occurrences]:
        """The occurrences of each term."""


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A part whose vectors are searched by FAISS. `codes` lie in the memory of `index`."""

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
        memory = faiss.rev_swig_ptr(index.codes.data(), codes.nbytes)
        return cls(first_row, memory.view(np.float16).reshape(codes.shape), postings, index)

    @classmethod
    def join(cls, segments: Sequence["Segment"]) -> Self:
        """One segment of several that follow each other."""
        codes = np.concatenate([segment.codes for segment in segments])
        return cls.build(segments[0].first_row, codes, Postings.join([segment.postings for segment in segments]))

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.postings.nbytes

    def search(self, query: Vector, count: int, mask: Mask | None) -> Nearest:
        count = min(count, len(self.codes))
        scores, rows = self.index.search(query[None, :], count, params=_parameters(mask))
        found = int(np.count_nonzero(rows >= 0))
        everything = found < count or count == len(self.codes)
        unseen = -np.inf if everything else float(scores[0, -1])
        return Nearest(rows[0, :found] + self.first_row, scores[0, :found], unseen)

    def find(self, terms: NDArray[np.int32]) -> Sequence[Occurrences]:
        return self.postings.find(terms)


def _parameters(mask: Mask | None) -> faiss.SearchParameters | None:
    """Parameters are made for each search: FAISS allows no sharing between threads."""
    if mask is None:
        return None
    # The stubs know the signatures of SWIG, not those of FAISS's own wrappers, which keep the bitmap alive.
    selector = faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))  # type: ignore[call-arg,arg-type]
    return faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]
