"""Every SearchView finds what the oracle finds, in the same order, with the same scores."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from random import Random

import numpy as np
import pytest

from quipu_server.domain import Change, IndexRow, Kind, Path
from quipu_server.filters import Comparison, Condition, Operator
from quipu_server.hot.index import HotIndex
from quipu_server.hot.search_view import HotView
from quipu_server.ports import SearchView
from quipu_server.store import Database, StoreView
from tests.comparison import compare
from tests.contract.stored_rows import store_rows
from tests.contract.stores import Stores
from tests.logs import NOW, KeptLog, a_deletion, a_row, a_space, random_condition, random_log, unit_vector
from tests.oracle import Oracle

ViewMaker = Callable[[Sequence[IndexRow]], Awaitable[SearchView]]
"""Makes a view of a new space with this log, at its last revision."""


@pytest.fixture
def hot_views() -> Iterator[ViewMaker]:
    log = KeptLog()
    with ThreadPoolExecutor(1) as threads:

        async def make(rows: Sequence[IndexRow]) -> SearchView:
            space, index = a_space(), HotIndex()
            log.rows[space.id] = list(rows)
            index.follow(rows[: len(rows) // 2])
            if index.is_scattered:
                index.merge()
            index.follow(rows[len(rows) // 2 :])
            return HotView(space, index.contents, log, threads)

        yield make


@pytest.fixture
def store_views(database: Database, postgres_stores: Stores) -> ViewMaker:
    async def make(rows: Sequence[IndexRow]) -> SearchView:
        space = await postgres_stores.new_space()
        await store_rows(database, postgres_stores.memories, space, rows)
        return StoreView(database, space, len(rows))

    return make


@pytest.fixture(params=["hot_views", "store_views"])
def make_view(request: pytest.FixtureRequest) -> ViewMaker:
    found: ViewMaker = request.getfixturevalue(request.param)
    return found


async def dense(view: SearchView, seed: int, depth: int, condition: Condition | None = None) -> list[int]:
    return list(await view.dense(unit_vector(seed), depth, await view.select(condition, NOW)))


async def lexical(view: SearchView, terms: Sequence[str], depth: int, condition: Condition | None = None) -> list[int]:
    selection = await view.select(condition, NOW)
    return list(await view.lexical(terms, await view.statistics(terms), depth, selection))


@pytest.mark.parametrize("seed", range(6))
async def test_random_queries_find_what_the_oracle_finds(make_view: ViewMaker, seed: int) -> None:
    rng = Random(seed)
    rows = random_log(rng, rng.choice([40, 400, 900]))
    view, oracle = await make_view(rows), Oracle(rows)
    for _ in range(30):
        await compare(view, oracle, rng, rng.choice([None, random_condition(rng, rows)]))


async def test_a_view_says_which_revision_it_shows(make_view: ViewMaker) -> None:
    view = await make_view([a_row(1), a_row(2), a_deletion(3, "m00001")])
    assert view.revision == 3


async def test_equal_vectors_are_ordered_by_id(make_view: ViewMaker) -> None:
    same = [a_row(i + 1, f"m{(i * 77) % 200:03d}", vectors=[unit_vector(7)]) for i in range(200)]
    view = await make_view(same)
    ids = {row.revision: row.memory_id for row in same}
    assert [ids[r] for r in await dense(view, 7, 100)] == [f"m{i:03d}" for i in range(100)]


async def test_nearly_equal_vectors_are_in_exact_order(make_view: ViewMaker) -> None:
    near = unit_vector(7, 384) + np.random.default_rng(1).normal(0.0, 2e-5, (1_500, 384))
    rows = [a_row(i + 1, vectors=[v / np.linalg.norm(v)]) for i, v in enumerate(near)]
    view, query = await make_view(rows), unit_vector(7, 384)
    selection, expected = await view.select(None, NOW), Oracle(rows).dense(query, 200, rows)
    for depth in range(1, 200, 3):
        assert list(await view.dense(query, depth, selection)) == expected[:depth]


async def test_equal_texts_are_ordered_by_id(make_view: ViewMaker) -> None:
    same = [a_row(i + 1, f"m{(i * 77) % 200:03d}", terms={"tea": 2, "cup": 1}) for i in range(200)]
    view = await make_view(same)
    ids = {row.revision: row.memory_id for row in same}
    assert [ids[r] for r in await lexical(view, ["tea"], 100)] == [f"m{i:03d}" for i in range(100)]


async def test_ids_are_ordered_by_code_point(make_view: ViewMaker) -> None:
    ids = ["a", "B", "_", "Z", "~", "10", "9"]
    view = await make_view([a_row(i + 1, name, vectors=[unit_vector(1)]) for i, name in enumerate(ids)])
    assert [ids[r - 1] for r in await dense(view, 1, 10)] == sorted(ids)


async def test_a_memory_is_as_near_as_its_best_chunk(make_view: ViewMaker) -> None:
    long = a_row(1, vectors=[unit_vector(20 + i) for i in range(50)])
    view = await make_view([long, a_row(2, vectors=[unit_vector(3)]), a_row(3, vectors=[unit_vector(4)])])
    found = await dense(view, 45, 3)
    assert found[0] == 1
    assert sorted(found) == [1, 2, 3]
    evidence = await view.evidence(np.array(found), unit_vector(45), [], None)
    assert evidence.spans[0].tolist() == long.spans[25].tolist()
    assert evidence.spans[1].tolist() == [-1, -1]


async def test_an_update_replaces_what_was_there(make_view: ViewMaker) -> None:
    view = await make_view([a_row(1, "a", terms={"tea": 1}), a_row(2, "a", terms={"milk": 1})])
    assert await lexical(view, ["tea"], 10) == []
    assert await lexical(view, ["milk"], 10) == [2]
    assert await dense(view, 1, 10) == [2]


async def test_what_is_deleted_is_gone_until_it_comes_back(make_view: ViewMaker) -> None:
    rows = [a_row(1, "a"), a_row(2, "b"), a_deletion(3, "a"), a_deletion(4, "b"), a_row(5, "b")]
    view = await make_view(rows)
    assert await dense(view, 1, 10) == [5]
    assert (await view.statistics(["word"])).document_count == 1


async def test_what_has_expired_is_not_found(make_view: ViewMaker) -> None:
    view = await make_view([a_row(1, expire_time=NOW), a_row(2)])
    assert await dense(view, 1, 10) == [2]
    assert await lexical(view, ["word"], 10) == [2]


async def test_k_come_back_under_a_narrow_filter(make_view: ViewMaker) -> None:
    rows = [a_row(i + 1, session="rare" if i % 100 == 0 else "usual") for i in range(1_000)]
    view = await make_view(rows)
    rare = Comparison("session", Operator.EQUAL, "rare")
    assert len(await dense(view, 1, 10, rare)) == 10
    assert len(await lexical(view, ["word"], 10, rare)) == 10


async def test_a_view_tells_how_it_found_the_nearest(make_view: ViewMaker) -> None:
    view = await make_view([a_row(i + 1, session="rare" if i % 100 == 0 else "usual") for i in range(1_000)])
    assert view.plan == ""
    await dense(view, 1, 10)
    plan = view.plan
    await dense(view, 1, 10, Comparison("session", Operator.EQUAL, "rare"))
    assert (plan, view.plan) == (("exact", "few") if view.path is Path.HOT else ("sql", "sql"))


def messages(*numbers: int, session: str = "s") -> list[IndexRow]:
    """Messages of a session in their order."""
    return [a_row(number, session=session) for number in numbers]


async def beside(view: SearchView, *revisions: int, condition: Condition | None = None) -> list[list[int]]:
    found = await view.surroundings(np.array(revisions), await view.select(condition, NOW))
    pairs: list[list[int]] = found.revisions.tolist()
    return pairs


async def test_messages_stand_between_those_before_and_after(make_view: ViewMaker) -> None:
    rows = [*messages(1), *messages(2, session="t"), *messages(3, 4)]
    rows += [a_row(5, session="s", kind=Kind.SEMANTIC), a_row(6), *messages(7)]
    view = await make_view(rows)
    assert await beside(view, 1, 2, 3, 5, 6, 7) == [[0, 3], [0, 0], [1, 4], [0, 0], [0, 0], [4, 0]]


async def test_an_update_keeps_the_place_of_a_message(make_view: ViewMaker) -> None:
    rows = [*messages(1, 2, 3), a_row(4, "m00001", session="s", change=Change.UPDATED, created=1)]
    view = await make_view([*rows, a_row(5, "m00002", session="t", change=Change.UPDATED, created=2)])
    assert await beside(view, 3, 4, 5) == [[4, 0], [0, 3], [0, 0]]


async def test_what_is_deleted_stands_beside_nothing(make_view: ViewMaker) -> None:
    view = await make_view([*messages(1, 2, 3, 4), a_deletion(5, "m00002"), a_deletion(6, "m00003")])
    assert await beside(view, 1, 4) == [[0, 4], [1, 0]]
    evidence = await view.evidence(np.array([1]), None, ["word"], await view.statistics(["word"]), with_sessions=True)
    assert evidence.sessions is not None
    assert (evidence.sessions.lengths.tolist(), evidence.sessions.frequencies.tolist()) == ([2.0], [[2.0]])


async def test_a_filter_does_not_part_neighbours(make_view: ViewMaker) -> None:
    view = await make_view([a_row(i, session="s", tags=("odd",) if i % 2 else ()) for i in range(1, 6)])
    odd = await view.select(Comparison("tags", Operator.EQUAL, "odd"), NOW)
    found = await view.surroundings(np.array([1, 2, 3]), odd)
    assert found.revisions.tolist() == [[0, 2], [1, 3], [2, 4]]
    assert found.selected.tolist() == [[False, False], [True, True], [False, False]]


async def test_a_session_is_one_text(make_view: ViewMaker) -> None:
    rows = [a_row(i, session=f"s{i % 3}", terms={"tea": i, f"w{i}": 1}) for i in range(1, 8)]
    view = await make_view([*rows, a_row(8, session="s0", kind=Kind.PROFILE, terms={"tea": 99})])
    terms = ["tea", "w3"]
    totals = await view.statistics(terms)
    evidence = await view.evidence(np.array([1, 3, 6, 8]), None, terms, totals, with_sessions=True)
    texts = evidence.sessions
    assert texts is not None
    first, other, same, none = texts.places.tolist()
    assert (other, none) == (same, -1)
    assert texts.frequencies[:, [first, other]].tolist() == [[1 + 4 + 7, 3 + 6], [0, 1]]
    statistics = texts.statistics()
    assert (statistics.document_count, statistics.document_frequencies.tolist()) == (2, [2, 1])


async def test_an_empty_space_answers_nothing(make_view: ViewMaker) -> None:
    view = await make_view([a_row(1), a_deletion(2, "m00001")])
    assert await dense(view, 1, 10) == []
    assert await lexical(view, ["word"], 10) == []
    evidence = await view.evidence(np.empty(0, np.int64), unit_vector(1), ["word"], await view.statistics(["word"]))
    assert len(evidence.memory_ids) == 0
