"""Snapshots of large spaces: graphs come back with all their links, and nothing wrong is ever searched."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from quipu_server.domain import Space
from quipu_server.hot import HotCatalogue, Snapshots, SnapshotStore, building, condensing, dense
from quipu_server.hot.codes import CodeFile
from quipu_server.hot.condensing import CONDENSER
from quipu_server.hot.contents import Contents
from quipu_server.hot.index import HotIndex
from quipu_server.hot.snapshot_contents import stays_in_file, to_arrays
from quipu_server.hot.snapshot_file import read_arrays, write_arrays
from quipu_server.hot.tuning import Tuning
from tests.logs import KeptLog, a_deletion, a_space
from tests.unit.hot.test_catalogue import ColdView, until_hot, view_of
from tests.unit.hot.test_graph import BYTES, HALF, SMALL, an_index, queries, recall, rows_of, vectors
from tests.unit.hot.test_snapshots import PLENTY, files, never, warnings

__all__ = ["warnings"]

BOTH = pytest.mark.parametrize("tuning", [HALF, BYTES], ids=["half", "bytes"])


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "index", PLENTY)


def restored(store: SnapshotStore, contents: Contents, tuning: Tuning) -> HotIndex:
    space = a_space()
    store.save(space, contents, never)
    loaded = store.load(space, tuning)
    assert loaded is not None
    index, saved = loaded
    assert saved.graph_rows == contents.graph_rows
    return index


def answers(contents: Contents) -> list[tuple[list[int], str]]:
    found = [dense.search(contents, query, 10, None) for query in queries()]
    return [(slots.tolist(), str(plan)) for slots, plan in found]


@BOTH
def test_a_graph_comes_back_with_equal_answers(store: SnapshotStore, tuning: Tuning) -> None:
    index = an_index(tuning)
    back = restored(store, index.contents, tuning)
    assert answers(back.contents) == answers(index.contents)
    graph, before = back.contents.graph, index.contents.graph
    assert graph is not None
    assert before is not None
    assert (graph.breadth, graph.error, graph.nbytes) == (before.breadth, before.error, before.nbytes)
    assert isinstance(graph.codes, CodeFile) == bool(before.error)
    every = np.arange(back.contents.row_count)
    assert back.contents.codes(every).tobytes() == index.contents.codes(every).tobytes()


@BOTH
def test_a_graph_that_came_back_grows(store: SnapshotStore, tuning: Tuning) -> None:
    made = vectors(9_000)
    index = HotIndex(tuning, None)
    index.follow(rows_of(made[:5_000]))
    index.merge()
    index.condense()
    back = restored(store, index.contents, tuning)
    back.follow([a_deletion(5_001, "m00007")])
    back.follow(rows_of(made[5_001:], 5_002))
    back.merge()
    back.condense()
    again = restored(store, back.contents, tuning)
    for some in (back, again):
        assert [len(segment.codes) for segment in some.contents.segments] == [8_999]
        assert recall(some.contents, 10, some.contents.live)[0] >= 0.99
    assert answers(again.contents) == answers(back.contents)


def test_codes_that_stay_in_memory_are_kept(store: SnapshotStore, tmp_path: Path) -> None:
    index = an_index(replace(SMALL, directory=tmp_path / "missing"))
    assert answers(restored(store, index.contents, SMALL).contents) == answers(index.contents)


def test_the_file_may_go_while_it_is_searched(store: SnapshotStore, tmp_path: Path) -> None:
    index = an_index(BYTES)
    back = restored(store, index.contents, BYTES)
    for path in files(tmp_path):
        path.unlink()
    assert answers(back.contents) == answers(index.contents)


@asynccontextmanager
async def server(log: KeptLog, store: SnapshotStore, tuning: Tuning) -> Any:
    """One run of a server."""
    cold: Any = lambda space, revision: ColdView(space, revision)  # noqa: E731
    catalogue = HotCatalogue(log, cold, PLENTY, Snapshots(store), tuning)
    yield catalogue
    await catalogue.close(within_s=5.0)


async def with_graph(catalogue: HotCatalogue, log: KeptLog, space: Space, rows: int) -> Contents:
    for _ in range(2_000):
        contents = cast(Any, await view_of(catalogue, log, space))._contents
        if contents.graph_rows >= rows:
            return cast(Contents, contents)
        await asyncio.sleep(0.01)
    pytest.fail("no graph is built")


async def until_saved(store: SnapshotStore, space: Space, rows: int) -> None:
    for _ in range(1_000):
        loaded = store.load(space, SMALL)
        if loaded is not None and loaded[1].graph_rows >= rows:
            return
        await asyncio.sleep(0.02)
    pytest.fail("no snapshot is written of the graph")


@pytest.fixture
def log() -> KeptLog:
    return KeptLog()


def fill_graph(log: KeptLog, count: int = 3_000) -> Space:
    space = a_space()
    log.rows[space.id] = list(rows_of(vectors(count)))
    return space


async def test_a_restart_needs_no_building(log: KeptLog, store: SnapshotStore, monkeypatch: pytest.MonkeyPatch) -> None:
    space = fill_graph(log)
    async with server(log, store, SMALL) as catalogue:
        await until_hot(catalogue, log, space)
        before = answers(await with_graph(catalogue, log, space, 3_000))
        await until_saved(store, space, 3_000)
    built: list[object] = []
    monkeypatch.setattr(condensing, "build_graph", lambda *arguments: built.append(arguments))
    async with server(log, store, SMALL) as catalogue:
        await until_hot(catalogue, log, space)
        assert answers(await with_graph(catalogue, log, space, 3_000)) == before
        CONDENSER.join()
    assert built == []
    assert log.snapshots_read == 1


async def test_a_graph_that_was_due_is_built_after_a_restart(log: KeptLog, store: SnapshotStore) -> None:
    space, index = fill_graph(log), HotIndex(SMALL, None)
    index.follow(log.rows[space.id])
    store.save(space, index.contents, never)
    async with server(log, store, SMALL) as catalogue:
        await until_hot(catalogue, log, space)
        assert recall(await with_graph(catalogue, log, space, 3_000), 10, None)[0] >= 0.99
    assert log.snapshots_read == 0


def flipped(name: str) -> Callable[[Path], None]:
    """A bit of one array is another."""

    def spoil(path: Path) -> None:
        stored = read_arrays(path)
        data, array = path.read_bytes(), stored.arrays[name]
        place = data.index(array.tobytes()) + array.nbytes // 2
        path.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])

    return spoil


@pytest.mark.parametrize("name", ["links", "levels", "places", "stored", "trained", "exact"])
async def test_a_corrupt_graph_is_discarded_and_built_anew(
    log: KeptLog, store: SnapshotStore, tmp_path: Path, warnings: list[Any], name: str
) -> None:
    space, index = fill_graph(log), HotIndex(SMALL, None)
    index.follow(log.rows[space.id])
    index.merge()
    index.condense()
    store.save(space, index.contents, never)
    flipped(f"segment0.{name}")(files(tmp_path)[0])
    async with server(log, store, SMALL) as catalogue:
        await until_hot(catalogue, log, space)
        assert recall(await with_graph(catalogue, log, space, 3_000), 10, None)[0] >= 0.99
    assert log.snapshots_read == 1
    assert [entry["event"] for entry in warnings] == ["discarded the snapshot of an index"]
    assert "digest" in warnings[0]["error"]


WRONG: Mapping[str, Callable[[Any], Any]] = {
    "links": lambda links: np.where(np.arange(len(links)) == 5, 3_000, links).astype(np.int32),
    "levels": lambda levels: levels + 1,
    "places": lambda places: places + np.uint64(1),
    "stored": lambda stored: stored[:-1],
    "trained": lambda trained: trained[:-1],
}


@pytest.mark.parametrize("name", list(WRONG))
def test_a_graph_that_leads_nowhere_never_reaches_faiss(
    store: SnapshotStore, tmp_path: Path, warnings: list[Any], name: str
) -> None:
    """A file whose digests are right, and whose arrays are not."""
    space, index = a_space(), HotIndex(SMALL, None)
    index.follow(rows_of(vectors(3_000)))
    index.merge()
    index.condense()
    store.save(space, index.contents, never)
    (path,) = files(tmp_path)
    stored = read_arrays(path)
    arrays = {**to_arrays(index.contents)}
    arrays[f"segment0.{name}"] = WRONG[name](arrays[f"segment0.{name}"])
    write_arrays(path, stored.header, arrays, never)
    assert store.load(space) is None
    assert [entry["log_level"] for entry in warnings] == ["warning"]


def test_only_exact_codes_stay_in_the_file() -> None:
    arrays = to_arrays(an_index(BYTES).contents)
    assert [name for name in arrays if stays_in_file(name)] == ["segment0.exact"]
    assert not any(map(stays_in_file, to_arrays(an_index(HALF).contents)))


def test_the_budget_knows_what_a_graph_will_take(monkeypatch: pytest.MonkeyPatch) -> None:
    index = HotIndex(SMALL, None)
    index.follow(rows_of(vectors(1_500)))
    before = index.nbytes
    index.follow(rows_of(vectors(1), 1_501))
    due = index.nbytes
    seen: list[int] = []
    build = building.build_graph

    def build_and_look(*arguments: Any) -> Any:
        graph = build(*arguments)
        seen.append(index.nbytes)
        return graph

    monkeypatch.setattr(condensing, "build_graph", build_and_look)
    index.merge()
    index.condense()
    graph = index.contents.graph
    assert graph is not None
    assert due - before >= 0.9 * graph.nbytes
    assert seen[0] - index.nbytes >= 0.9 * before / 2
    assert index.nbytes < due
