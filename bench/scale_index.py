"""The hot index of a made space, in this process, and what searching it takes."""

import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.scale_corpus import Batch, Material, count_words, make
from quipu_server.domain import Change, IndexRow, Kind, Role, Vector, Vectors
from quipu_server.filters import Comparison, Operator
from quipu_server.hot import conditions, dense, words
from quipu_server.hot.condensing import return_memory
from quipu_server.hot.contents import Contents
from quipu_server.hot.index import HotIndex
from quipu_server.hot.tuning import DEFAULT_TUNING
from quipu_server.scoring import cosines
from quipu_server.text import SnowballAnalyser

K = 10
PAGE_ROWS = 512
"""Taken in at once, as from the log."""
SHARES: Mapping[str, float] = {"permille": 0.001, "percent": 0.01, "tenth": 0.1, "half": 0.5}
"""Tags, and how many memories have them."""
ALL = ""
TIME = datetime(2024, 1, 1, tzinfo=UTC)
SPANS = np.zeros((1, 2), np.int32)
ROUNDING = 1e-6
"""Of the exact scores below, which are summed in float32."""


@dataclass(frozen=True, slots=True)
class Built:
    """An index, what building it took, and the least score of the ten nearest of each query, by tag."""

    index: HotIndex
    fill_s: float
    graph_s: float
    memory_bytes: int
    counted_bytes: int
    tenth: Mapping[str, NDArray[np.float32]]

    @property
    def contents(self) -> Contents:
        return self.index.contents


@dataclass(frozen=True, slots=True)
class Timing:
    """How long searches took, in milliseconds, how many of the ten nearest they found, and how."""

    p50_ms: float
    p95_ms: float
    recall: float
    plans: str


def build(material: Material, size: int) -> Built:
    """Take in all memories, then build the graph if the size asks for one."""
    analyser = SnowballAnalyser()
    counts = count_words(material, lambda text: analyser.terms(text, "en"))
    truth, index, fill_s = Truth(material.queries), HotIndex(DEFAULT_TUNING, None), 0.0
    return_memory()  # of the index before, which would hide some of what this one takes
    before = resident_bytes()
    for batch in make(material, size):
        truth.add(batch)
        fill_s += _fill(index, list(_rows(batch, counts)))
    started = time.perf_counter()
    index.publish(size)
    index.merge()
    merged = time.perf_counter()
    index.condense()
    graph_s = time.perf_counter() - merged
    return_memory()
    memory_bytes = resident_bytes() - before
    return Built(index, fill_s + merged - started, graph_s, memory_bytes, index.nbytes, truth.tenth())


def _fill(index: HotIndex, rows: Sequence[IndexRow]) -> float:
    started = time.perf_counter()
    for start in range(0, len(rows), PAGE_ROWS):
        index.append(rows[start : start + PAGE_ROWS])
    return time.perf_counter() - started


def measure(built: Built, queries: Vectors, tag: str = ALL) -> Timing:
    """Search with each query; the time includes that of resolving the filter."""
    taken, recalls, plans = [], [], []
    for query, least in zip(queries, built.tenth[tag], strict=True):
        started = time.perf_counter()
        found = _search(built.contents, query, tag)
        taken.append(1000 * (time.perf_counter() - started))
        exact = cosines(built.contents.codes(found.slots), query)
        recalls.append(np.count_nonzero(exact >= least - ROUNDING) / K)
        plans.append(str(found.plan))
    p50, p95 = np.quantile(taken, [0.5, 0.95]).tolist()
    return Timing(p50, p95, float(np.mean(recalls)), ", ".join(sorted(set(plans))))


def measure_words(built: Built, questions: Sequence[str]) -> Timing:
    """Search by the words of each question, which is always exact."""
    analyser, contents, taken = SnowballAnalyser(), built.contents, []
    for question in questions:
        started = time.perf_counter()
        terms = tuple(dict.fromkeys(analyser.terms(question, "en")))
        found = words.find(contents, terms)
        words.best_matches(contents, words.scores(contents, found, words.statistics(contents, found)), K, None)
        taken.append(1000 * (time.perf_counter() - started))
    p50, p95 = np.quantile(taken, [0.5, 0.95]).tolist()
    return Timing(p50, p95, 1.0, "words")


def resident_bytes() -> int:
    """Physical memory of this process that is not the system's cache of files. Linux only."""
    status = Path("/proc/self/status").read_text("utf-8")
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return 1024 * int(found[1]) if found else 0


class Truth:
    """The scores of the ten nearest of each query, batch by batch."""

    def __init__(self, queries: Vectors) -> None:
        self._queries = queries.T
        self._best = {tag: np.full((K, len(queries)), -np.inf, np.float32) for tag in (ALL, *SHARES)}

    def add(self, batch: Batch) -> None:
        """Compare all with all."""
        scores = batch.codes.astype(np.float32) @ self._queries
        for tag, best in self._best.items():
            some = scores[batch.lots < SHARES.get(tag, 1.0)]
            self._best[tag] = np.partition(np.concatenate([best, some]), -K, axis=0)[-K:]

    def tenth(self) -> Mapping[str, NDArray[np.float32]]:
        """The least of the ten, by tag."""
        return {tag: best.min(axis=0) for tag, best in self._best.items()}


def _search(contents: Contents, query: Vector, tag: str) -> dense.Found:
    condition = Comparison("tags", Operator.CONTAINS, tag)
    mask = conditions.matches(condition, contents.columns) if tag else None
    return dense.search(contents, query, K, mask)


def _rows(batch: Batch, counts: Sequence[Counter[str]]) -> Iterator[IndexRow]:
    for place, ((first, second), lot) in enumerate(zip(batch.parents.tolist(), batch.lots.tolist(), strict=True)):
        frequencies = counts[first] + counts[second]
        yield IndexRow(
            revision=batch.first + place + 1,
            created=batch.first + place + 1,
            nonce=0,
            memory_id=f"m{batch.first + place}",
            change=Change.CREATED,
            kind=Kind.EPISODIC,
            role=Role.NONE,
            speaker="",
            session=f"session_{(batch.first + place) // 20}",
            tags=tuple(tag for tag, share in SHARES.items() if lot < share),
            importance=0.5,
            event_time=TIME,
            expire_time=None,
            create_time=TIME,
            update_time=TIME,
            terms=tuple(frequencies),
            frequencies=tuple(frequencies.values()),
            length=sum(frequencies.values()),
            codes=batch.codes[place : place + 1],
            spans=SPANS,
        )
