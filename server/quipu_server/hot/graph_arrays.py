"""Graphs as arrays, and back: FAISS reads no file, it is given what was checked."""

from collections.abc import Iterator, Mapping
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from quipu_server.hot.building import EIGHT_BITS
from quipu_server.hot.codes import CodeFile, Codes
from quipu_server.hot.graph import GraphSegment, storage_of
from quipu_server.hot.postings import Postings
from quipu_server.hot.segment import codes_of

NAMES = ("levels", "places", "links", "trained", "stored")
"""levels, and places of the links, by row; links: rows, -1 for none; trained, stored: of the codes that are compared."""


def to_header(graph: GraphSegment) -> Mapping[str, Any]:
    """Numbers of a graph."""
    hnsw = graph.index.hnsw
    return {
        "kind": int(graph.storage.sq.qtype),
        "links": hnsw.nb_neighbors(1),
        "build_breadth": hnsw.efConstruction,
        "entry": hnsw.entry_point,
        "top": hnsw.max_level,
        "breadth": graph.breadth,
        "error": graph.error,
    }


def to_arrays(graph: GraphSegment) -> Iterator[tuple[str, NDArray[Any]]]:
    """Its arrays; they lie in the memory of FAISS."""
    hnsw, storage = graph.index.hnsw, graph.storage
    yield "levels", _memory(hnsw.levels)
    yield "places", _memory(hnsw.offsets)
    yield "links", _memory(hnsw.neighbors)
    yield "trained", faiss.vector_to_array(storage.sq.trained)
    yield "stored", _memory(storage.codes)


def from_arrays(
    header: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    first_row: int,
    exact: CodeFile | Codes | None,
    postings: Postings,
    dimension: int,
) -> GraphSegment:
    """The graph. exact: None if the codes that are compared are exact. Raises ValueError when something does not fit."""
    index = faiss.IndexHNSWSQ(dimension, header["kind"], header["links"], faiss.METRIC_INNER_PRODUCT)
    count = len(arrays["levels"])
    _check(index.hnsw, header, arrays, count)
    hnsw, storage = index.hnsw, storage_of(index)
    if arrays["stored"].shape != (count * storage.code_size,):
        raise ValueError("the codes of a graph are not those of its rows")
    if arrays["trained"].shape != (2 * dimension * (storage.sq.qtype == EIGHT_BITS),):
        raise ValueError("the range of the codes of a graph is missing")
    hnsw.efConstruction, hnsw.entry_point, hnsw.max_level = header["build_breadth"], header["entry"], header["top"]
    for name, vector in (("levels", hnsw.levels), ("places", hnsw.offsets), ("links", hnsw.neighbors)):
        _fill(vector, arrays[name])
    faiss.copy_array_to_vector(arrays["trained"], storage.sq.trained)
    _fill(storage.codes, arrays["stored"])
    index.ntotal = storage.ntotal = count
    index.is_trained = storage.is_trained = True
    codes = codes_of(storage) if exact is None else exact
    if codes.shape != (count, dimension):
        raise ValueError("the exact codes of a graph are not those of its rows")
    return GraphSegment(first_row, codes, postings, index, header["error"], header["breadth"])


def _check(hnsw: Any, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], count: int) -> None:
    """Raise ValueError for a graph that would lead FAISS out of its memory."""
    levels, places, links = (arrays[name] for name in ("levels", "places", "links"))
    capacities = np.array([hnsw.cum_nb_neighbors(level) for level in range(int(levels.max(initial=0)) + 1)], np.uint64)
    if not count or levels.min() < 1 or levels.max() != header["top"] + 1:
        raise ValueError("the levels of a graph are wrong")
    if len(places) != count + 1 or places[0] != 0 or (np.diff(places) != capacities[levels]).any():
        raise ValueError("the places of links are wrong")
    if len(links) != places[-1] or links.min() < -1 or links.max() >= count or not 0 <= header["entry"] < count:
        raise ValueError("a link leads nowhere")
    if levels[header["entry"]] != header["top"] + 1:
        raise ValueError("the entry of a graph is not at its top")
    if (arrays["levels"].dtype, links.dtype, places.dtype) != (np.int32, np.int32, np.uint64):
        raise ValueError("the arrays of a graph have other types")


def _memory(vector: Any) -> NDArray[Any]:
    """What a vector of FAISS holds, without a copy. It must not be empty."""
    memory: NDArray[Any] = faiss.rev_swig_ptr(vector.data(), vector.size())
    return memory


def _fill(vector: Any, values: NDArray[Any]) -> None:
    vector.resize(len(values))
    _memory(vector)[:] = values
