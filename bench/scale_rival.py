"""The same searches through pgvector, with an HNSW index over half-precision vectors."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.rival import EF_SEARCHES, Rival, rival
from bench.scale_corpus import ALL, Exact, K, Material
from bench.scale_index import ROUNDING
from quipu_server.domain import MemoryFields, Vectors
from quipu_server.scoring import cosines

TABLE = "made"
BUILD_MEGABYTES = 2_048
TUNING_QUERIES = 50


@dataclass(frozen=True, slots=True)
class RivalTiming:
    """What pgvector took."""

    build_s: float
    ef_search: int
    p50_ms: float
    p95_ms: float
    recall: float


async def measure_rival(home: Path, material: Material, exact: Exact, wanted: float) -> RivalTiming:
    """Fill a table, build its index, find the least ef_search with this recall, and search with each query."""
    async with rival(home) as plain:
        vectors, least = exact.vectors, exact.tenth[ALL]
        await plain.fill(TABLE, [MemoryFields("")] * len(vectors), vectors)
        await plain.set_build_memory(BUILD_MEGABYTES)
        started = time.perf_counter()
        await plain.index(TABLE)
        build_s = time.perf_counter() - started
        ef_search = await _tune(plain, vectors, material.queries[:TUNING_QUERIES], least, wanted)
        taken, found = await _search(plain, material.queries)
    p50, p95 = np.quantile(taken, [0.5, 0.95]).tolist()
    return RivalTiming(build_s, ef_search, p50, p95, _recall(found, vectors, material.queries, least))


async def _tune(
    plain: Rival, vectors: NDArray[np.float16], queries: Vectors, least: NDArray[np.float32], wanted: float
) -> int:
    for ef_search in EF_SEARCHES:
        await plain.set_ef_search(ef_search)
        _, found = await _search(plain, queries)
        if _recall(found, vectors, queries, least) >= wanted:
            break
    return ef_search


async def _search(plain: Rival, queries: Vectors) -> tuple[Sequence[float], Sequence[Sequence[int]]]:
    """The milliseconds each took, and the numbers found."""
    taken, found = [], []
    for query in queries:
        started = time.perf_counter()
        found.append(await plain.nearest(TABLE, query))
        taken.append(1000 * (time.perf_counter() - started))
    return taken, found


def _recall(
    found: Sequence[Sequence[int]], vectors: NDArray[np.float16], queries: Vectors, least: NDArray[np.float32]
) -> float:
    pairs = zip(found, queries, least[: len(queries)], strict=True)
    hits = [np.count_nonzero(cosines(vectors[list(some)], query) >= limit - ROUNDING) for some, query, limit in pairs]
    return float(np.mean(hits)) / K
