"""Builds graphs."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import faiss
import numpy as np
import structlog

from quipu_server.domain import Vector
from quipu_server.hot.codes import CodeFile, Codes, CodeWriter
from quipu_server.hot.graph import GraphSegment, storage_of
from quipu_server.hot.postings import Postings
from quipu_server.hot.segment import Segment, codes_of
from quipu_server.hot.tuning import Tuning

BATCH_ROWS = 2_048
"""Added at once: under a second, after which building can be stopped."""

EIGHT_BITS: Any = faiss.ScalarQuantizer.QT_8bit
HALF: Any = faiss.ScalarQuantizer.QT_fp16

log = structlog.get_logger(__name__)


class Abandoned(Exception):
    """Nobody waits for the graph any more."""


def build_graph(
    segments: Sequence[Segment | GraphSegment], tuning: Tuning, abandoned: Callable[[], bool]
) -> GraphSegment:
    """A graph over segments that follow each other; of these the first may be one, which is copied and extended.

    Uses the threads of the tuning, in this call only. Raises Abandoned soon after it is.
    """
    row_count = sum(len(segment.codes) for segment in segments)
    base = segments[0] if isinstance(segments[0], GraphSegment) else None
    added = segments[1:] if base else segments
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(tuning.build_threads)
    try:
        index = _start(segments, base, EIGHT_BITS if row_count > tuning.byte_rows else HALF, tuning)
        _reserve(index, row_count)
        for batch in _batches(added):
            if abandoned():
                raise Abandoned
            index.add(batch.astype(np.float32))
    finally:
        faiss.omp_set_num_threads(before)
    codes, error = _exact_codes(index, segments, tuning)
    postings = Postings.join([segment.postings for segment in segments])
    return GraphSegment(segments[0].first_row, codes, postings, index, error, tuning.breadth(row_count))


def _start(segments: Sequence[Segment | GraphSegment], base: GraphSegment | None, kind: Any, tuning: Tuning) -> Any:
    """An index with the rows of the base, if there is one."""
    if base is not None and base.storage.sq.qtype == kind:
        # What a downcast gives would not keep the clone in memory; FAISS gives the clone its own type.
        return faiss.clone_index(base.index)
    dimension = segments[0].codes.shape[1]
    index = faiss.IndexHNSWSQ(dimension, kind, tuning.links, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = tuning.build_breadth
    if kind == EIGHT_BITS:
        # All that training takes from rows is the least and greatest value of each dimension.
        index.train(np.stack([_extremes(segments, np.minimum), _extremes(segments, np.maximum)]))
    if base is not None:
        _take_over(index, base)
    return index


def _take_over(index: Any, base: GraphSegment) -> None:
    """Give an empty index the rows of another with their links; only the codes are new."""
    storage = storage_of(index)
    for batch in _batches([base]):
        storage.add(batch.astype(np.float32))
    index.hnsw = base.index.hnsw
    index.ntotal = base.index.ntotal


def _extremes(segments: Sequence[Segment | GraphSegment], function: np.ufunc) -> Vector:
    found: Vector = function.reduce([function.reduce(batch.astype(np.float32)) for batch in _batches(segments)])
    return found


def _reserve(index: Any, row_count: int) -> None:
    """Take the memory for the codes at once: growing bit by bit may take double."""
    codes = storage_of(index).codes
    size = codes.size()
    codes.resize(row_count * storage_of(index).code_size)
    codes.resize(size)


def _batches(segments: Sequence[Segment | GraphSegment]) -> Iterator[Codes]:
    for segment in segments:
        for start in range(0, len(segment.codes), BATCH_ROWS):
            yield segment.codes[start : start + BATCH_ROWS]


def _exact_codes(
    index: Any, segments: Sequence[Segment | GraphSegment], tuning: Tuning
) -> tuple[Codes | CodeFile, float]:
    """The codes as they came, and how far those of the index are off."""
    storage = storage_of(index)
    if storage.sq.qtype == HALF:
        return codes_of(storage), 0.0
    error = max(max(_error(storage, batch) for batch in _batches([s])) if not s.error else s.error for s in segments)
    try:
        return _write(segments, tuning), error
    except OSError as problem:
        log.warning("keeps the codes of an index in memory", error=repr(problem))
        return np.concatenate(list(_batches(segments))), error


def _error(storage: Any, batch: Codes) -> float:
    """The greatest distance of a row from its code."""
    vectors = batch.astype(np.float32)
    distances = np.linalg.norm(storage.sa_decode(storage.sa_encode(vectors)) - vectors, axis=1)
    return float(distances.max(initial=0.0))


def _write(segments: Sequence[Segment | GraphSegment], tuning: Tuning) -> CodeFile:
    """The codes in a file; behind those of the first segment if these lie in one."""
    first, added = segments[0].codes, segments[1:]
    writer = first.writer() if isinstance(first, CodeFile) else None
    if writer is None:
        writer, added = CodeWriter.new(tuning.directory, first.shape[1]), segments
    for batch in _batches(added):
        writer.write(batch)
    return writer.finish()
