"""Large spaces: what a graph finds, against all that there is."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from weakref import ref

import numpy as np
import pytest
from numpy.typing import NDArray

from quipu_server.domain import IndexRow, Vector
from quipu_server.hot import dense
from quipu_server.hot.building import Abandoned, build_graph
from quipu_server.hot.codes import CodeFile
from quipu_server.hot.condensing import Condenser, condense
from quipu_server.hot.contents import Contents
from quipu_server.hot.index import HotIndex
from quipu_server.hot.planning import Plan
from quipu_server.hot.tuning import Tuning
from quipu_server.scoring import cosines
from tests.logs import a_deletion, a_row

DIMENSION, CLUSTERS, ROWS = 32, 80, 6_000
SMALL = Tuning(graph_rows=1_500, byte_rows=0, links=16, build_breadth=120, search_breadth=192, build_threads=2)
HALF, BYTES, MIXED = (replace(SMALL, byte_rows=rows) for rows in (1_000_000, 0, 3_500))


def vectors(count: int, seed: int = 0) -> NDArray[np.float16]:
    """Unit vectors in clusters; row `i` is in cluster `i % CLUSTERS`."""
    centres = np.random.default_rng(99).standard_normal((CLUSTERS, DIMENSION))
    random = np.random.default_rng(seed)
    made = centres[np.arange(count) % CLUSTERS] + 0.6 * random.standard_normal((count, DIMENSION))
    codes: NDArray[np.float16] = (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float16)
    return codes


def rows_of(made: NDArray[np.float16], first: int = 1) -> Sequence[IndexRow]:
    return [a_row(first + i, vectors=[vector]) for i, vector in enumerate(made)]


def queries(count: int = 40) -> Sequence[Vector]:
    return list(vectors(count * 7, seed=5)[::7].astype(np.float32))


def an_index(tuning: Tuning, count: int = ROWS) -> HotIndex:
    """With a graph over nearly all rows, and a tail behind it."""
    index, made = HotIndex(tuning, None), rows_of(vectors(count))
    index.follow(made[: count - 700])
    index.merge()
    index.condense()
    index.follow(made[count - 700 :])
    index.merge()
    assert index.contents.graph is not None
    assert [len(segment.codes) for segment in index.contents.segments] == [count - 700, 700]
    return index


def recall(contents: Contents, depth: int, mask: NDArray[np.bool_] | None) -> tuple[float, set[Plan]]:
    """The share of the nearest that is found. All that is found is let through, and as many as there are."""
    codes, shares, plans = contents.codes(np.arange(contents.row_count)), [], set()
    for query in queries():
        found = dense.search(contents, query, depth, mask)
        plans.add(found.plan)
        scores = np.where(mask, cosines(codes, query), -np.inf) if mask is not None else cosines(codes, query)
        there = min(depth, int(np.count_nonzero(scores > -np.inf)))
        assert len(set(found.slots.tolist())) == there
        assert np.isfinite(scores[found.slots]).all()
        assert (np.diff(scores[found.slots]) <= 0).all()
        least = np.sort(scores)[-there] if there else np.inf
        shares.append(np.count_nonzero(scores[found.slots] >= least) / max(there, 1) if there else 1.0)
    return float(np.mean(shares)), plans


@pytest.fixture(scope="module", params=[HALF, BYTES], ids=["half", "bytes"])
def index(request: pytest.FixtureRequest) -> HotIndex:
    return an_index(request.param)


@pytest.mark.parametrize("depth", [1, 10, 100])
def test_a_graph_finds_the_nearest(index: HotIndex, depth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense, "choose", lambda *_: Plan.HNSW)
    share, plans = recall(index.contents, depth, None)
    assert share >= 0.99
    assert plans == {Plan.HNSW}


@pytest.mark.parametrize("share", [0.0, 0.0003, 0.001, 0.01, 0.1, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("depth", [10, 100])
def test_filters_leave_as_many_as_there_are(index: HotIndex, share: float, depth: int) -> None:
    mask = np.random.default_rng(1).random(ROWS) < share
    assert recall(index.contents, depth, mask)[0] >= 0.99


def test_all_is_gone_through_when_walks_see_too_little(index: HotIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    """What matches lies in clusters that few of the queries are near to."""
    monkeypatch.setattr(dense, "choose", lambda *_: Plan.HNSW)
    monkeypatch.setattr(dense, "breadth", lambda *_: 192)
    mask = np.arange(ROWS) % CLUSTERS >= CLUSTERS - 2
    share, plans = recall(index.contents, 50, mask)
    assert share >= 0.98, "walks as narrow as these miss more"
    assert Plan.HNSW_EXACT in plans


def test_few_matches_are_compared_one_by_one(index: HotIndex) -> None:
    mask = np.random.default_rng(1).random(ROWS) < 0.01
    assert recall(index.contents, 10, mask) == (1.0, {Plan.FEW})


@pytest.mark.parametrize("plan", [Plan.FEW, Plan.EXACT])
@pytest.mark.parametrize("share", [0.02, 0.2, 0.9])
def test_without_the_graph_all_is_exact(
    index: HotIndex, plan: Plan, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dense, "choose", lambda *_: plan)
    mask = np.random.default_rng(2).random(ROWS) < share
    assert recall(index.contents, 30, mask) == (1.0, {plan})


@pytest.mark.parametrize("tuning", [HALF, BYTES])
def test_what_is_deleted_is_never_found(tuning: Tuning) -> None:
    index, deleted = an_index(tuning), set[int]()
    for _ in range(5):
        for query in queries(10):
            contents = index.contents
            mask = None if contents.all_live else contents.live
            slots = set(dense.nearest(contents, query, 20, mask).tolist())
            assert len(slots) == 20
            assert not slots & deleted
            deleted |= slots
            revision = contents.revision + 1
            index.follow([a_deletion(revision + i, f"m{slot + 1:05d}") for i, slot in enumerate(sorted(slots))])
    assert recall(index.contents, 10, index.contents.live)[0] >= 0.99


@pytest.mark.parametrize("tuning", [HALF, BYTES, MIXED], ids=["half", "bytes", "mixed"])
def test_a_graph_grows(tuning: Tuning) -> None:
    index, made = HotIndex(tuning, None), vectors(6_000)
    for start in range(0, 6_000, 2_000):
        index.follow(rows_of(made[start : start + 2_000], start + 1))
        index.merge()
        index.condense()
        assert [len(segment.codes) for segment in index.contents.segments] == [start + 2_000]
        kept = index.contents.codes(np.arange(start + 2_000))
        assert kept.tobytes() == made[: start + 2_000].tobytes()
    assert recall(index.contents, 10, None)[0] >= 0.99


def test_memories_of_several_chunks_are_found_by_their_best() -> None:
    index, made = HotIndex(BYTES, None), vectors(6_000)
    index.follow([a_row(i + 1, vectors=made[3 * i : 3 * i + 3]) for i in range(2_000)])
    index.merge()
    index.condense()
    assert index.contents.graph is not None
    codes, shares = index.contents.codes(np.arange(6_000)), []
    for query in queries():
        best = cosines(codes, query).reshape(-1, 3).max(axis=1)
        found = dense.nearest(index.contents, query, 10, None)
        assert len(found) == 10
        shares.append(np.count_nonzero(best[found] >= np.sort(best)[-10]) / 10)
    assert np.mean(shares) >= 0.99


def test_small_spaces_have_no_graph() -> None:
    index = HotIndex(HALF, None)
    index.follow(rows_of(vectors(1_500)))
    index.merge()
    index.condense()
    assert index.contents.graph is None
    assert recall(index.contents, 10, None) == (1.0, {Plan.EXACT})


def test_readers_are_right_while_a_graph_is_built() -> None:
    index, made = HotIndex(BYTES, condenser := Condenser()), rows_of(vectors(6_000))
    index.follow(made[:2_000])

    def write() -> None:
        for start in range(2_000, 6_000, 100):
            index.follow(made[start : start + 100])

    def merge() -> None:
        while index.contents.revision < 6_000 or index.is_scattered:
            index.merge()
        condenser.join()
        index.merge()

    shares = []
    with ThreadPoolExecutor(2) as threads:
        running = [threads.submit(write), threads.submit(merge)]
        while not all(job.done() for job in running):
            shares.append(recall(index.contents, 10, None)[0])
    for job in running:
        job.result()
    condenser.join()
    assert index.contents.graph is not None
    assert recall(index.contents, 10, None)[0] >= 0.99
    assert min(shares) >= 0.98


def test_what_was_written_while_a_graph_was_built_gets_one_too() -> None:
    """Though nothing is written after it, and no segments are left to merge."""
    index, made = HotIndex(HALF, condenser := Condenser()), rows_of(vectors(6_000))
    index.follow(made[:2_000])
    claimed = index.claim()
    assert claimed
    for start in range(2_000, 6_000, 1_000):
        index.follow(made[start : start + 1_000])
        index.merge()
    assert not index.is_scattered
    index.install(claimed, build_graph(claimed, HALF, lambda: False))
    condenser.join()
    assert index.contents.graph_rows >= 6_000 - HALF.graph_rows
    assert not index.is_bulky


def test_without_room_for_a_file_codes_stay_in_memory(tmp_path: Path) -> None:
    index = an_index(replace(SMALL, directory=tmp_path / "missing"))
    assert not isinstance(index.contents.segments[0].codes, CodeFile)
    assert recall(index.contents, 10, None)[0] >= 0.99


def test_files_have_no_name(tmp_path: Path) -> None:
    index = an_index(replace(SMALL, directory=tmp_path))
    assert isinstance(index.contents.segments[0].codes, CodeFile)
    assert list(tmp_path.iterdir()) == []


def test_building_ends_when_it_is_stopped() -> None:
    index = HotIndex(HALF, None)
    index.follow(rows_of(vectors(3_000)))
    with pytest.raises(Abandoned):
        condense(ref(index), lambda: True)
    assert index.contents.graph is None
    assert not index.is_bulky
    index.merge()
    assert recall(index.contents, 10, None)[0] == 1.0


def test_nothing_is_built_for_an_index_that_was_dropped() -> None:
    condenser, index = Condenser(), HotIndex(HALF, None)
    index.follow(rows_of(vectors(3_000)))
    condenser.request(index)
    del index
    condenser.join()
    condenser.stop()
