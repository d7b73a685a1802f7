"""Large parts of an index, searched by a graph (HNSW)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import faiss
import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Vector
from quipu_server.hot.codes import CodeFile, Codes, Rows
from quipu_server.hot.postings import Occurrences, Postings
from quipu_server.hot.segment import Mask, Nearest, nearest, selector

SPARE = 4
"""So many times the rows asked for are fetched by codes of 8 bits, whose error leaves many rows in doubt."""

SPARE_GATHERED = 4
"""So many times as many of rows that were gathered: to gather them again costs more than to fetch some in vain."""

GATHERED_SHARE = 32
"""Of so many rows at most one is gathered: to gather a row costs 0.14 µs, to pass it over 2 ns."""


@dataclass(frozen=True, slots=True, eq=False)
class GraphSegment:
    """A part whose vectors are searched by a graph of FAISS, or exactly.

    codes: exact; those of `storage` when these are of float16, else elsewhere. error: see `Part`.
    breadth: how many rows a walk keeps in view, at least.
    """

    kind: ClassVar = "hnsw"

    first_row: int
    codes: Codes | CodeFile
    postings: Postings
    index: Any
    error: float
    breadth: int

    @property
    def storage(self) -> Any:
        """The index of FAISS that holds the codes the graph compares."""
        return storage_of(self.index)

    @property
    def nbytes(self) -> int:
        own = 0 if isinstance(self.codes, CodeFile) or not self.error else self.codes.nbytes
        # With the places of links (8 bytes) and the level (4) of each row.
        shared: int = len(self.codes) * (self.storage.code_size + 12) + 4 * self.index.hnsw.neighbors.size()
        return own + shared + self.postings.nbytes

    def walk(self, query: Vector, count: int, breadth: int, mask: Mask | None) -> Nearest:
        """The `count` nearest rows that the mask lets through, of those that a walk with this breadth sees."""
        if mask is not None and not mask.any():
            return Nearest(np.empty(0, np.int64), np.empty(0, np.float32), -np.inf)
        # The stubs do not know it.
        parameters = faiss.SearchParametersHNSW(  # type: ignore[attr-defined]
            efSearch=breadth, sel=None if mask is None else selector(mask)
        )
        return nearest(self.index, query, count, parameters, self.first_row)

    def search(self, query: Vector, count: int, mask: Mask | None) -> Nearest:
        count = SPARE * count if self.error else count
        if mask is None:
            return nearest(self.storage, query, count, None, self.first_row)
        if np.count_nonzero(mask) * GATHERED_SHARE > len(mask):
            parameters = faiss.SearchParameters(sel=selector(mask))  # type: ignore[call-arg]
            return nearest(self.storage, query, count, parameters, self.first_row)
        return self._search_gathered(query, SPARE_GATHERED * count, np.flatnonzero(mask))

    def find(self, terms: NDArray[np.int32]) -> Sequence[Occurrences]:
        return self.postings.find(terms)

    def _search_gathered(self, query: Vector, count: int, rows: Rows) -> Nearest:
        """Go through these rows alone."""
        if not len(rows):
            return Nearest(rows, np.empty(0, np.float32), -np.inf)
        storage = self.storage
        few = faiss.IndexScalarQuantizer(storage.d, storage.sq.qtype, storage.metric_type)
        few.sq = storage.sq
        few.is_trained = True
        memory = faiss.rev_swig_ptr(storage.codes.data(), storage.ntotal * storage.code_size)
        few.add_sa_codes(memory.reshape(storage.ntotal, storage.code_size)[rows])
        found = nearest(few, query, count, None, 0)
        return found._replace(rows=rows[found.rows] + self.first_row)


def storage_of(index: Any) -> Any:
    """The index of FAISS that holds the codes of a graph, as what it is."""
    return faiss.downcast_index(index.storage)
