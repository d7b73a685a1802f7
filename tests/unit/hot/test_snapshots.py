"""Snapshots of indexes on disk: that they hold all, and that nothing wrong is ever taken from them."""

import asyncio
import errno
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, NoReturn, cast

import faiss
import pytest
import structlog
from xxhash import xxh3_128_digest

from quipu_server import domain
from quipu_server.domain import Space
from quipu_server.hot import HotCatalogue, Snapshots, SnapshotStore, loading, snapshot_store, snapshots
from quipu_server.hot.index import HotIndex
from quipu_server.hot.search_view import HotView
from quipu_server.hot.snapshot_file import MAGIC, PREFIX, Abandoned, Damaged, read_arrays, write_arrays
from tests.comparison import compare
from tests.logs import KeptLog, a_row, a_space, random_condition, random_log
from tests.oracle import Oracle
from tests.unit.hot.test_catalogue import ColdView, extend, fill, found, rewritten, until_hot, view_of

PLENTY = 1 << 30
MANY = 1_200


def never() -> bool:
    return False


@pytest.fixture
def log() -> KeptLog:
    return KeptLog()


@pytest.fixture
def warnings() -> Iterator[list[Any]]:
    before = structlog.get_config()
    # Another test may have started a server, which says what is worth a line.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with structlog.testing.capture_logs() as logs:
        yield cast(list[Any], logs)
    structlog.configure(**before)


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "index", PLENTY)


@asynccontextmanager
async def catalogue_over(log: KeptLog, store: SnapshotStore) -> AsyncIterator[HotCatalogue]:
    """One run of a server."""

    def cold(space: Space, revision: int) -> Any:
        return ColdView(space, revision)

    catalogue = HotCatalogue(log, cold, PLENTY, Snapshots(store))
    yield catalogue
    await catalogue.close(within_s=5.0)


async def run_once(log: KeptLog, store: SnapshotStore, space: Space) -> int:
    """How many memories are found by a server that starts, searches and stops."""
    async with catalogue_over(log, store) as catalogue:
        return await found(await until_hot(catalogue, log, space))


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "index").iterdir()) if (tmp_path / "index").exists() else []


@pytest.mark.parametrize("seed", range(8))
async def test_an_index_comes_back_as_it_was_and_goes_on(store: SnapshotStore, log: KeptLog, seed: int) -> None:
    rng, space = Random(seed), a_space()
    rows = random_log(rng, rng.choice([1, 30, 300, 900]))
    half, index = rng.randrange(len(rows) + 1), HotIndex()
    index.follow(rows[:half])
    if index.is_scattered:
        index.merge()
    store.save(space, index.contents, never)
    loaded = store.load(space)
    assert loaded is not None
    restored, saved = loaded
    assert (saved.revision, saved.nbytes > 0) == (half, True)
    log.rows[space.id] = rows
    for upto in (half, len(rows)):
        restored.follow(rows[restored.contents.revision : upto])
        if restored.is_scattered:
            restored.merge()
        view = HotView(space, restored.contents, log, cast(Any, None))
        for _ in range(10):
            await compare(view, Oracle(rows[:upto]), rng, rng.choice([None, random_condition(rng, rows)]))


async def test_a_server_goes_on_from_the_snapshot_of_the_one_before(log: KeptLog, store: SnapshotStore) -> None:
    space = fill(log, MANY)
    assert await run_once(log, store, space) == MANY
    extend(log, space, 100)
    assert await run_once(log, store, space) == MANY + 100
    assert log.snapshots_read == 1


async def test_it_is_written_while_the_server_runs(log: KeptLog, store: SnapshotStore, tmp_path: Path) -> None:
    space = fill(log, MANY)
    async with catalogue_over(log, store) as catalogue:
        await until_hot(catalogue, log, space)
        for _ in range(1_000):
            if any(path.suffix == snapshot_store.SUFFIX for path in files(tmp_path)):
                break
            await asyncio.sleep(0.005)
        else:
            pytest.fail("no snapshot is written")


async def test_without_its_snapshots_a_server_answers_the_same(
    log: KeptLog, store: SnapshotStore, tmp_path: Path
) -> None:
    space = fill(log, MANY)
    await run_once(log, store, space)
    for path in files(tmp_path):
        path.unlink()
    assert await run_once(log, store, space) == MANY
    assert log.snapshots_read == 2


def spoil_digest(data: bytes) -> bytes:
    return data[:-100] + bytes([data[-100] ^ 1]) + data[-99:]


def with_header(data: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Another header, with the right digest."""
    _, _, length = PREFIX.unpack(data[: PREFIX.size])
    header, rest = change(data[PREFIX.size : PREFIX.size + length]), data[PREFIX.size + length :]
    return PREFIX.pack(MAGIC, xxh3_128_digest(header), len(header)) + header + rest


def spoil_header(data: bytes) -> bytes:
    """A header that is wrong, with a digest that is right."""
    return with_header(data, lambda header: header.replace(b'"codes.kind"', b'"codes.king"', 1))


SPOILERS: list[Callable[[bytes], bytes]] = [
    lambda _: b"",
    lambda data: data[:50],
    lambda data: data[:-1],
    lambda data: data + b"\0",
    lambda data: b"X" + data[1:],
    lambda data: data[:20] + b"X" + data[21:],
    spoil_digest,
    spoil_header,
]


@pytest.mark.parametrize("spoil", SPOILERS)
async def test_a_corrupt_snapshot_is_discarded(
    log: KeptLog, store: SnapshotStore, tmp_path: Path, warnings: list[Any], spoil: Callable[[bytes], bytes]
) -> None:
    space = fill(log, MANY)
    await run_once(log, store, space)
    (path,) = files(tmp_path)
    path.write_bytes(spoil(path.read_bytes()))
    assert store.load(space) is None
    assert not path.exists()
    assert [entry["log_level"] for entry in warnings] == ["warning"]
    assert await run_once(log, store, space) == MANY


async def test_a_snapshot_of_another_space_model_or_version_is_discarded(
    log: KeptLog, store: SnapshotStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, warnings: list[Any]
) -> None:
    space, other = fill(log, MANY), a_space("b")

    def save() -> Path:
        index = HotIndex()
        index.follow(log.rows[space.id])
        store.save(space, index.contents, never)
        return files(tmp_path)[0]

    save().replace(tmp_path / "index" / f"{other.id}{snapshot_store.SUFFIX}")
    assert store.load(other) is None
    save()
    assert store.load(replace(space, fingerprint="another")) is None
    save()
    monkeypatch.setattr(snapshot_store, "FORMAT", snapshot_store.FORMAT + 1)
    assert store.load(space) is None
    save()
    monkeypatch.setattr(faiss, "__version__", "0")
    assert store.load(space) is None
    assert [entry["error"] for entry in warnings] == [
        "it has another space",
        "it has another model",
        "it has another format",
        "it has another faiss",
    ]


@pytest.mark.parametrize(("keep", "count"), [(1_000, 200), (1_000, 300), (1_000, 10), (0, 300)])
async def test_a_snapshot_of_another_history_is_discarded(
    log: KeptLog, store: SnapshotStore, warnings: list[Any], keep: int, count: int
) -> None:
    space = fill(log, MANY)
    await run_once(log, store, space)
    rewritten(log, space, keep, count)
    assert await run_once(log, store, space) == keep + count
    assert log.snapshots_read == 2
    assert warnings[0]["event"] == "discarded the snapshot of an index"


async def test_a_snapshot_that_is_far_behind_is_discarded(
    log: KeptLog, store: SnapshotStore, warnings: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    space = fill(log, MANY)
    await run_once(log, store, space)
    monkeypatch.setattr(loading, "PAGE_ROWS", 100)
    extend(log, space, MANY + 1)
    assert await run_once(log, store, space) == 2 * MANY + 1
    assert log.snapshots_read == 2
    assert "revisions behind" in warnings[0]["error"]


async def test_a_full_disk_costs_snapshots_only(
    log: KeptLog, store: SnapshotStore, tmp_path: Path, warnings: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    spaces = [fill(log, MANY, name) for name in "ab"]
    async with catalogue_over(log, store) as catalogue:
        for space in spaces:
            assert await found(await until_hot(catalogue, log, space)) == MANY
        for _ in range(1_000):
            if warnings:
                break
            await asyncio.sleep(0.005)
        extend(log, spaces[0], MANY)
        assert await found(await view_of(catalogue, log, spaces[0])) == 2 * MANY
    assert {entry["event"] for entry in warnings} == {"cannot write the snapshot of an index"}
    assert len(warnings) <= 2
    assert files(tmp_path) == []


def test_what_was_there_stays_when_a_new_one_cannot_be_written(tmp_path: Path) -> None:
    path, index = tmp_path / "a.snapshot", HotIndex()
    write_arrays(path, {"a": 1}, {"live": index.contents.live}, never)
    before = path.read_bytes()
    with pytest.raises(Abandoned):
        write_arrays(path, {"a": 2}, {"live": index.contents.live}, lambda: True)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "a.snapshot"
    write_arrays(path, {}, {"a": cast(Any, HotIndex().contents.live)}, never)
    path.write_bytes(with_header(path.read_bytes(), lambda header: header.replace(b'"|b1"', b'"|O" ')))
    with pytest.raises(Damaged, match="type"):
        read_arrays(path)


async def test_the_oldest_make_room(log: KeptLog, tmp_path: Path, store: SnapshotStore) -> None:
    index = HotIndex()
    index.follow([a_row(i + 1) for i in range(300)])
    size = store.save(a_space(), index.contents, never).nbytes
    small = SnapshotStore(tmp_path / "small", int(2.5 * size))
    made = [a_space(f"s{i}") for i in range(4)]
    for i, space in enumerate(made):
        small.save(space, index.contents, never)
        os.utime(tmp_path / "small" / f"{space.id}{snapshot_store.SUFFIX}", (i, i))
    small.save(a_space(), index.contents, never)
    assert [small.load(space) is not None for space in made] == [False, False, False, True]
    tiny = SnapshotStore(tmp_path / "tiny", size // 2)
    assert tiny.save(a_space(), index.contents, never).nbytes == 0
    assert list((tmp_path / "tiny").iterdir()) == []


async def test_the_snapshot_of_a_deleted_space_goes(log: KeptLog, store: SnapshotStore, tmp_path: Path) -> None:
    space = fill(log, MANY)
    await run_once(log, store, space)
    async with catalogue_over(log, store) as catalogue:
        await until_hot(catalogue, log, space)
        catalogue.forget(space)
    assert files(tmp_path) == []


async def test_a_server_without_time_writes_none(log: KeptLog, store: SnapshotStore, tmp_path: Path) -> None:
    space = fill(log, snapshots.SAVE_AT_END + 1)
    kept = HotCatalogue(log, lambda s, r: cast(Any, ColdView(s, r)), PLENTY, Snapshots(store))
    assert (await until_hot(kept, log, space)).path is domain.Path.HOT
    await kept.close()
    assert files(tmp_path) == []
    assert await run_once(log, store, space) == snapshots.SAVE_AT_END + 1
    assert len(files(tmp_path)) == 1
