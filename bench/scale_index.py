"""The hot index of a made space, in this process, and what searching it takes."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.scale_corpus import ALL, Batch, K, Material, count_words, make
from quipu_server.domain import Change, IndexRow, Kind, Role, Vector, Vectors
from quipu_server.filters import Comparison, Operator
from quipu_server.hot import conditions, dense
from quipu_server.hot.contents import Contents
from quipu_server.hot.index import HotIndex
from quipu_server.hot.snapshot_contents import from_stored, stays_in_file
from quipu_server.hot.snapshot_file import read_arrays
from quipu_server.hot.tuning import DEFAULT_TUNING
from quipu_server.hot.words import Matches
from quipu_server.scoring import cosines
from quipu_server.text import SnowballAnalyser

PAGE_ROWS = 512
"""Taken in at once, as from the log."""
SHARES: Mapping[str, float] = {"permille": 0.001, "percent": 0.01, "tenth": 0.1, "half": 0.5}
"""Tags, and how many memories have them."""
TIME = datetime(2024, 1, 1, tzinfo=UTC)
SPANS = np.zeros((1, 2), np.int32)
ROUNDING = 1e-6
"""Of the exact scores below, which are summed in float32."""


@dataclass(frozen=True, slots=True)
class Built:
    """An index, and the least score of the ten nearest of each query, by tag."""

    index: HotIndex
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


def build(material: Material, size: int) -> HotIndex:
    """Take in all memories, then build the graph if the size asks for one."""
    analyser = SnowballAnalyser()
    counts = count_words(material, lambda text: analyser.terms(text, "en"))
    index = HotIndex(DEFAULT_TUNING, None)
    for batch in make(material, size):
        rows = list(_rows(batch, counts))
        for start in range(0, len(rows), PAGE_ROWS):
            index.append(rows[start : start + PAGE_ROWS])
    index.publish(size)
    index.merge()
    index.condense()
    return index


def restored(home: Path, size: int) -> HotIndex:
    """The index of the space of this size, as the server of a data directory has kept it."""
    for path in (home / "index").glob("*.snapshot"):
        contents = from_stored(read_arrays(path, stays_in_file))
        if contents.live_count == size:
            return HotIndex.restore(contents, DEFAULT_TUNING, None)
    raise FileNotFoundError(f"the server has kept no index of {size:,} memories below {home}")


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
        found = Matches(contents, terms)
        found.best(found.statistics(), K, None)
        taken.append(1000 * (time.perf_counter() - started))
    p50, p95 = np.quantile(taken, [0.5, 0.95]).tolist()
    return Timing(p50, p95, 1.0, "words")


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
