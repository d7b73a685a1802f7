"""Which spaces are hot, and that answers are right whatever fails."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from quipu_server.domain import Head, Path, Space
from quipu_server.errors import StoreUnavailable
from quipu_server.hot import HotCatalogue, loading, resident, search_view
from quipu_server.ports import SearchView
from tests.logs import NOW, KeptLog, a_row, a_space, unit_vector

PLENTY = 1 << 30
PATIENCE_MS = 10_000
LARGE = loading.SMALL_REVISION + 44

MakeCatalogue = Callable[[int], HotCatalogue]


@dataclass
class ColdView:
    """Stands for a view in the database."""

    space: Space
    revision: int
    path: Path = Path.STORE


@pytest.fixture
def log() -> KeptLog:
    return KeptLog()


@pytest.fixture
async def make_catalogue(log: KeptLog) -> AsyncIterator[MakeCatalogue]:
    made: list[HotCatalogue] = []

    def make(budget_bytes: int) -> HotCatalogue:
        made.append(HotCatalogue(log, lambda space, revision: cast(Any, ColdView(space, revision)), budget_bytes))
        return made[-1]

    yield make
    for catalogue in made:
        await catalogue.close()


@pytest.fixture
def catalogue(make_catalogue: MakeCatalogue) -> HotCatalogue:
    return make_catalogue(PLENTY)


def fill(log: KeptLog, count: int, name: str = "a") -> Space:
    """A new space with so many memories."""
    space = a_space(name)
    log.rows[space.id] = [a_row(revision + 1) for revision in range(count)]
    return space


def extend(log: KeptLog, space: Space, count: int) -> None:
    rows = log.rows[space.id]
    rows += [a_row(len(rows) + i + 1) for i in range(count)]


async def view_of(catalogue: HotCatalogue, log: KeptLog, space: Space) -> SearchView:
    return await catalogue.view(space, log.head(space))


async def until_hot(catalogue: HotCatalogue, log: KeptLog, space: Space) -> SearchView:
    for _ in range(PATIENCE_MS):
        if (view := await view_of(catalogue, log, space)).path is Path.HOT:
            return view
        await asyncio.sleep(0.001)
    pytest.fail("the space stays cold")


async def found(view: SearchView) -> int:
    """How many memories a search finds."""
    return len(await view.dense(unit_vector(1), 10_000, await view.select(None, NOW)))


async def test_a_small_space_is_hot_at_once(catalogue: HotCatalogue, log: KeptLog) -> None:
    view = await view_of(catalogue, log, fill(log, 10))
    assert view.path is Path.HOT
    assert await found(view) == 10


async def test_an_empty_space_is_hot_at_once(catalogue: HotCatalogue, log: KeptLog) -> None:
    view = await view_of(catalogue, log, fill(log, 0))
    assert (view.path, view.revision, await found(view)) == (Path.HOT, 0, 0)


async def test_a_large_space_is_answered_cold_while_it_loads(catalogue: HotCatalogue, log: KeptLog) -> None:
    space = fill(log, LARGE)
    log.gate.clear()
    cold = await view_of(catalogue, log, space)
    assert (cold.path, cold.revision) == (Path.STORE, LARGE)
    log.gate.set()
    assert await found(await until_hot(catalogue, log, space)) == LARGE


async def test_a_space_is_loaded_once_for_all_who_ask(catalogue: HotCatalogue, log: KeptLog) -> None:
    space = fill(log, 10)
    views = await asyncio.gather(*(view_of(catalogue, log, space) for _ in range(20)))
    assert {view.path for view in views} == {Path.HOT}
    assert log.snapshots_read == 1


async def test_a_view_has_come_as_far_as_the_head(catalogue: HotCatalogue, log: KeptLog) -> None:
    space = fill(log, 10)
    before = await view_of(catalogue, log, space)
    extend(log, space, 1_500)
    views = await asyncio.gather(*(view_of(catalogue, log, space) for _ in range(20)))
    assert {view.revision for view in views} == {1_510}
    assert log.tails_read == 3
    assert await found(views[0]) == 1_510
    assert await found(before) == 10


async def test_writes_are_followed_in_the_background(catalogue: HotCatalogue, log: KeptLog) -> None:
    space = fill(log, 10)
    await view_of(catalogue, log, space)
    for _ in range(20):
        extend(log, space, 1)
        catalogue.written(space, log.head(space).revision)
    for _ in range(PATIENCE_MS):
        if (await catalogue.view(space, Head(0, NOW, 1))).revision == 30:
            break
        await asyncio.sleep(0.001)
    else:
        pytest.fail("the writes are not followed")
    assert log.tails_read < 20


async def test_a_reader_does_not_wait_for_later_writes(catalogue: HotCatalogue, log: KeptLog) -> None:
    space = fill(log, 10)
    await view_of(catalogue, log, space)
    extend(log, space, 10 * loading.PAGE_ROWS)
    catalogue.written(space, log.head(space).revision)
    view = await catalogue.view(space, Head(11, NOW, 1))
    assert 11 <= view.revision < 3 * loading.PAGE_ROWS


async def test_writes_to_a_cold_space_load_nothing(catalogue: HotCatalogue, log: KeptLog) -> None:
    catalogue.written(fill(log, 10), 10)
    await asyncio.sleep(0)
    assert (log.snapshots_read, log.tails_read) == (0, 0)


async def test_a_load_that_fails_is_tried_again(
    catalogue: HotCatalogue, log: KeptLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident, "FIRST_RETRY_S", 0.0)
    space = fill(log, 10)
    log.failing = RuntimeError("cut")
    assert (await view_of(catalogue, log, space)).path is Path.STORE
    log.failing = None
    assert await found(await until_hot(catalogue, log, space)) == 10


async def test_a_load_that_fails_is_not_tried_again_at_once(catalogue: HotCatalogue, log: KeptLog) -> None:
    space = fill(log, 10)
    log.failing = RuntimeError("cut")
    for _ in range(10):
        assert (await view_of(catalogue, log, space)).path is Path.STORE
    assert log.snapshots_read == 1


async def test_an_index_outlives_a_database_that_is_away(catalogue: HotCatalogue, log: KeptLog) -> None:
    space = fill(log, 10)
    await view_of(catalogue, log, space)
    extend(log, space, 1)
    log.failing = StoreUnavailable("away")
    assert (await view_of(catalogue, log, space)).path is Path.STORE
    log.failing = None
    assert await found(await view_of(catalogue, log, space)) == 11
    assert log.snapshots_read == 1


@pytest.mark.parametrize("lost", [slice(10, 11), slice(11, 12), slice(10, 13)])
async def test_an_index_is_built_anew_after_a_gap(catalogue: HotCatalogue, log: KeptLog, lost: slice) -> None:
    space = fill(log, 10)
    await view_of(catalogue, log, space)
    extend(log, space, 3)
    whole = list(log.rows[space.id])
    head = log.head(space)
    del log.rows[space.id][lost]
    assert (await catalogue.view(space, head)).path is Path.STORE
    log.rows[space.id] = whole
    assert await found(await until_hot(catalogue, log, space)) == 13


def rewritten(log: KeptLog, space: Space, keep: int, count: int) -> None:
    """Let the log be that of an older copy of the database, which others wrote to since."""
    rows = log.rows[space.id][:keep]
    log.rows[space.id] = rows + [a_row(len(rows) + i + 1, f"other{i}", nonce=2) for i in range(count)]


@pytest.mark.parametrize(("keep", "count"), [(7, 3), (7, 5), (7, 1), (7, 0), (0, 0), (0, 10)])
async def test_an_index_of_another_history_is_built_anew(
    catalogue: HotCatalogue, log: KeptLog, keep: int, count: int
) -> None:
    space = fill(log, 10)
    await view_of(catalogue, log, space)
    rewritten(log, space, keep, count)
    assert (await view_of(catalogue, log, space)).path is Path.STORE
    view = await view_of(catalogue, log, space)
    assert (view.path, view.revision, await found(view)) == (Path.HOT, keep + count, keep + count)


async def test_another_history_is_found_when_the_database_is_back(catalogue: HotCatalogue, log: KeptLog) -> None:
    spaces = [fill(log, 10, name) for name in "ab"]
    for space in spaces:
        await view_of(catalogue, log, space)
    rewritten(log, spaces[1], 7, 3)
    await catalogue.recheck()
    await asyncio.sleep(0.01)
    assert [(await catalogue.view(s, Head(0, NOW, 1))).revision for s in spaces] == [10, 0]


async def test_a_history_that_changes_during_a_load_is_noticed(catalogue: HotCatalogue, log: KeptLog) -> None:
    space = fill(log, 10)
    log.gate.clear()
    view = asyncio.create_task(view_of(catalogue, log, space))
    await asyncio.sleep(0.01)
    rewritten(log, space, 7, 3)
    log.gate.set()
    assert (await view).path is Path.STORE


async def test_a_head_that_was_read_earlier_is_no_other_history(catalogue: HotCatalogue, log: KeptLog) -> None:
    space = fill(log, 10)
    before = log.head(space)
    extend(log, space, 5)
    await view_of(catalogue, log, space)
    reads = log.tails_read
    assert (await catalogue.view(space, before)).revision == 15
    assert (log.tails_read, log.snapshots_read) == (reads, 1)


async def test_a_worn_index_is_built_anew(catalogue: HotCatalogue, log: KeptLog) -> None:
    space = fill(log, 10)
    await view_of(catalogue, log, space)
    rows = log.rows[space.id]
    rows += [a_row(revision, "m00001") for revision in range(11, 1_500)]
    assert await found(await view_of(catalogue, log, space)) == 10
    await asyncio.sleep(0)
    assert log.snapshots_read == 2
    extend(log, space, 1)
    assert await found(await view_of(catalogue, log, space)) == 11


async def test_the_least_recently_searched_space_leaves(make_catalogue: MakeCatalogue, log: KeptLog) -> None:
    catalogue = make_catalogue(3 * resident.BASE_BYTES)
    spaces = [fill(log, 5, name) for name in "abc"]
    for space in spaces:
        await view_of(catalogue, log, space)
    await view_of(catalogue, log, spaces[2])
    assert log.snapshots_read == 3
    view = await view_of(catalogue, log, spaces[0])
    assert log.snapshots_read == 4
    assert await found(view) == 5


async def test_an_index_larger_than_the_budget_is_not_kept(make_catalogue: MakeCatalogue, log: KeptLog) -> None:
    catalogue = make_catalogue(60_000)
    space = fill(log, 250)
    assert (await view_of(catalogue, log, space)).path is Path.STORE


async def test_an_index_that_outgrows_the_budget_is_let_go(make_catalogue: MakeCatalogue, log: KeptLog) -> None:
    catalogue = make_catalogue(resident.BASE_BYTES + 70_000)
    space = fill(log, 10)
    assert (await view_of(catalogue, log, space)).path is Path.HOT
    extend(log, space, 1_000)
    assert (await view_of(catalogue, log, space)).path is Path.STORE


async def test_without_a_budget_all_is_cold(make_catalogue: MakeCatalogue, log: KeptLog) -> None:
    catalogue = make_catalogue(0)
    assert (await view_of(catalogue, log, fill(log, 1))).path is Path.STORE
    assert log.snapshots_read == 0


async def test_a_deleted_space_is_forgotten(catalogue: HotCatalogue, log: KeptLog) -> None:
    space = fill(log, 10)
    await view_of(catalogue, log, space)
    catalogue.forget(space)
    log.rows[space.id] = []
    assert await found(await view_of(catalogue, log, space)) == 0


async def test_who_gives_up_waiting_does_not_stop_the_load(catalogue: HotCatalogue, log: KeptLog) -> None:
    space = fill(log, 10)
    log.gate.clear()
    impatient, patient = (asyncio.create_task(view_of(catalogue, log, space)) for _ in range(2))
    await asyncio.sleep(0.01)
    impatient.cancel()
    log.gate.set()
    assert (await patient).path is Path.HOT
    assert log.snapshots_read == 1


async def test_it_closes_while_a_load_hangs(make_catalogue: MakeCatalogue, log: KeptLog) -> None:
    catalogue, space = make_catalogue(PLENTY), fill(log, LARGE)
    log.gate.clear()
    await view_of(catalogue, log, space)
    async with asyncio.timeout(5):
        await catalogue.close()


async def test_a_large_index_is_searched_in_threads(
    catalogue: HotCatalogue, log: KeptLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_view, "INLINE_ROWS", 0)
    view = await view_of(catalogue, log, fill(log, 200))
    assert await found(view) == 200


async def test_a_selection_serves_its_own_view_only(catalogue: HotCatalogue, log: KeptLog) -> None:
    view = await view_of(catalogue, log, fill(log, 1))

    class Foreign:
        count = 1

    with pytest.raises(TypeError):
        await view.dense(unit_vector(1), 1, Foreign())


async def test_an_index_of_another_model_is_replaced_and_never_brought_back(
    catalogue: HotCatalogue, log: KeptLog
) -> None:
    old = fill(log, 10)
    await until_hot(catalogue, log, old)
    new = replace(old, model="other", fingerprint="other", version=old.version + 1)
    view = await until_hot(catalogue, log, new)
    assert view.space.fingerprint == "other"
    # A search that does not know of the change yet gets no vectors of the new model, and leaves the index alone.
    assert (await view_of(catalogue, log, old)).path is Path.STORE
    assert (await view_of(catalogue, log, new)).path is Path.HOT
