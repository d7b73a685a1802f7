"""The hot index and the store find the same memories with the same scores, and they are the right ones."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from random import Random
from uuid import uuid4

import pytest
import pytest_asyncio

from quipu_server.domain import (
    Evidence,
    Head,
    Memory,
    Mode,
    Passage,
    Path,
    Revisions,
    Space,
    TermStatistics,
    Vector,
    Write,
)
from quipu_server.filters import Condition
from quipu_server.hot import HotCatalogue
from quipu_server.ports import MemoryStore, SearchView
from quipu_server.search.gathering import Probe, Quarry, gather, sum_statistics
from quipu_server.search.ranking import Ranked, rank
from quipu_server.search.stopwatch import Stopwatch
from quipu_server.store import (
    Database,
    ExternalPostgres,
    PostgresLog,
    PostgresMemoryStore,
    PostgresSpaceStore,
    StoreView,
)
from quipu_server.weights import DEFAULT_WEIGHTS
from tests.comparison import assert_same_evidence
from tests.integration.oracle import Oracle
from tests.integration.population import Population

pytestmark = pytest.mark.asyncio(loop_scope="session")

CREATED, CHANGED, REVIVED, BATCH = 1_500, 600, 60, 50


@dataclass(frozen=True, slots=True)
class Scene:
    """One space, seen by the hot index, by the store, and by the oracle."""

    oracle: Oracle
    passages: Sequence[Passage]
    hot: SearchView
    store: SearchView
    now: datetime


@dataclass(frozen=True, slots=True)
class Question:
    vector: Vector
    terms: tuple[str, ...]
    condition: Condition | None
    depth: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a view says to a question."""

    matched: int | None
    dense: Revisions
    lexical: Revisions
    statistics: TermStatistics
    dense_evidence: Evidence
    lexical_evidence: Evidence


class Writer:
    """Fills a space, and keeps what it wrote for the oracle."""

    def __init__(self, store: MemoryStore, space: Space) -> None:
        self.oracle = Oracle()
        self.newest: dict[str, Memory] = {}
        self.passages: dict[str, Passage] = {}
        self._store = store
        self._space = space

    async def write(self, writes: Sequence[Write]) -> None:
        """Append in batches."""
        for start in range(0, len(writes), BATCH):
            batch = writes[start : start + BATCH]
            for memory, write in zip(await self._store.append(self._space, batch, None), batch, strict=True):
                self.newest[memory.memory_id] = memory
                self.passages[memory.memory_id] = write.passage or self.passages[memory.memory_id]
                self.oracle.apply(memory, self.passages[memory.memory_id])


async def fill(writer: Writer, population: Population) -> None:
    """Create, update, delete and revive memories. Some have expired before they are asked for."""
    random = Random(7)
    await writer.write([population.create(number) for number in range(CREATED)])
    chosen = random.sample(sorted(writer.newest), CHANGED)
    await writer.write([population.change(writer.newest[key], writer.passages[key]) for key in chosen])
    deleted = sorted(key for key, memory in writer.newest.items() if memory.is_deleted)
    assert len(deleted) > 2 * REVIVED
    await writer.write([population.undelete(writer.newest[k], writer.passages[k]) for k in deleted[:REVIVED]])
    await writer.write([population.create(int(k.removeprefix("m"))) for k in deleted[REVIVED : 2 * REVIVED]])


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(database_url: str) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        database = Database(ExternalPostgres(database_url))
        stack.push_async_callback(database.close)
        await database.open()
        await database.wait_ready()
        draft = Space(uuid4(), "default", f"paths-{uuid4().hex}", "model", "fingerprint")
        space = await PostgresSpaceStore(database).ensure_space(draft)
        writer = Writer(PostgresMemoryStore(database), space)
        population = Population(1)
        await fill(writer, population)
        log = PostgresLog(database)
        catalogue = HotCatalogue(log, partial(StoreView, database), 1 << 30)
        stack.push_async_callback(catalogue.close)
        head = (await log.heads([space.id]))[space.id]
        hot = await hot_view(catalogue, space, head)
        yield Scene(writer.oracle, population.passages, hot, StoreView(database, space, head.revision), head.now)


async def hot_view(catalogue: HotCatalogue, space: Space, head: Head) -> SearchView:
    """The view of the space once it is hot."""
    view = await catalogue.view(space, head)
    while view.path is Path.STORE:
        await asyncio.sleep(0.01)
        view = await catalogue.view(space, head)
    return view


def ask(population: Population, random: Random) -> Question:
    return Question(
        population.query_vector(),
        population.query_terms(),
        population.condition(),
        random.choice([1, 2, 10, 50, 100] * 4 + [2_000]),
    )


async def answer(view: SearchView, question: Question, now: datetime) -> Answer:
    selection = await view.select(question.condition, now)
    statistics = await view.statistics(question.terms)
    dense = await view.dense(question.vector, question.depth, selection)
    lexical = await view.lexical(question.terms, statistics, question.depth, selection)
    evidence = [
        await view.evidence(found, question.vector, question.terms, statistics, with_sessions=True)
        for found in (dense, lexical)
    ]
    return Answer(selection.count, dense, lexical, statistics, *evidence)


async def ranked(view: SearchView, question: Question, now: datetime) -> Ranked:
    quarry = Quarry(view, await view.select(question.condition, now), question.terms, DEFAULT_WEIGHTS)
    (statistics,) = await sum_statistics([quarry])
    pool = await gather(quarry, Probe(question.vector, "text"), statistics, 100, Stopwatch())
    return rank([pool], Mode.HYBRID, 100, 0.0, now)


def assert_right(scene: Scene, question: Question, given: Answer) -> None:
    """Compare the answer of a view with the oracle's."""
    entries = scene.oracle.selected(question.condition, scene.now)
    assert given.matched in (None, len(entries))
    dense = scene.oracle.dense(entries, question.vector, question.depth)
    assert list(given.dense_evidence.memory_ids) == [memory_id for memory_id, _ in dense]
    assert given.dense_evidence.cosines.tolist() == [score for _, score in dense]
    lexical = scene.oracle.lexical(entries, question.terms, question.depth)
    assert list(given.lexical_evidence.memory_ids) == [memory_id for memory_id, _ in lexical]
    assert given.lexical_evidence.bm25.tolist() == pytest.approx([score for _, score in lexical], rel=1e-12)


def assert_right_order(scene: Scene, question: Question, found: Ranked) -> None:
    """Compare the final order with the oracle's: the same candidates and scores, best first, equal ones by id."""
    entries = scene.oracle.selected(question.condition, scene.now)
    expected = scene.oracle.ranking(entries, question.vector, question.terms, scene.now)
    evidence = found.pools[0].evidence
    got = [evidence.memory_ids[place] for place in found.places.tolist()]
    assert sorted(got) == sorted(expected)
    assert found.scores.tolist() == pytest.approx([expected[key] for key in got], rel=1e-9)
    keys = [(-score, key) for score, key in zip(found.scores.tolist(), got, strict=True)]
    assert keys == sorted(keys)


@pytest.mark.parametrize("seed", range(10))
async def test_five_hundred_questions(scene: Scene, seed: int) -> None:
    population, random = Population(seed, scene.passages), Random(seed)
    for _ in range(50):
        question = ask(population, random)
        hot, store = [await answer(view, question, scene.now) for view in (scene.hot, scene.store)]
        assert_right(scene, question, hot)
        assert_right(scene, question, store)
        assert hot.dense.tolist() == store.dense.tolist()
        assert hot.lexical.tolist() == store.lexical.tolist()
        assert hot.statistics.document_frequencies.tolist() == store.statistics.document_frequencies.tolist()
        assert_same_evidence(hot.dense_evidence, store.dense_evidence)
        assert_same_evidence(hot.lexical_evidence, store.lexical_evidence)


@pytest.mark.parametrize("seed", range(100, 110))
async def test_the_final_order_of_five_hundred_questions(scene: Scene, seed: int) -> None:
    population, random = Population(seed, scene.passages), Random(seed)
    for _ in range(50):
        question = ask(population, random)
        hot, store = [await ranked(view, question, scene.now) for view in (scene.hot, scene.store)]
        assert_right_order(scene, question, hot)
        revisions = [r.pools[0].evidence.revisions[r.places].tolist() for r in (hot, store)]
        assert revisions[0] == revisions[1]
        assert hot.scores.tolist() == store.scores.tolist()
        assert hot.relevances.tolist() == store.relevances.tolist()


async def test_filters_let_something_through(scene: Scene) -> None:
    """The questions above are worth asking."""
    population = Population(5, scene.passages)
    counts = [len(scene.oracle.selected(population.condition(), scene.now)) for _ in range(200)]
    everything = len(scene.oracle.selected(None, scene.now))
    assert sum(0 < count < everything for count in counts) > 100
