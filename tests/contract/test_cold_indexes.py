"""Large spaces searched in PostgreSQL by an index of their own; what counts as large is lowered."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np
import pytest

from quipu_server.domain import Change, MemoryFields, Passage, Revisions, Space, Vectors, Write
from quipu_server.filters import parse_filter
from quipu_server.store import Database, StoreView, cold_search
from quipu_server.store.cold_indexes import PostgresColdIndexes, index_names
from tests.contract.stores import DIMENSION, Stores, unit_vectors

LARGE = 100
COUNT = 1_500
QUERIES = 15
NOW = datetime.now(UTC)


def creation(number: int, vectors: Vectors) -> Write:
    spans = np.zeros((len(vectors), 2), np.int32)
    passage = Passage(uuid4(), f"text {number}", ("text",), (1,), 1, vectors, spans)
    fields = MemoryFields(passage.content, tags=(f"tag{number % 10}", f"rare{number % 50}"))
    return Write(f"m{number:05}", Change.CREATED, fields, passage.id, 0, passage)


@pytest.fixture
async def space(postgres_stores: Stores) -> Space:
    """A space with many memories, another one beside it, and an index to be built."""
    space, other = await postgres_stores.new_space(), await postgres_stores.new_space()
    vectors = unit_vectors(COUNT)
    await postgres_stores.memories.append(space, [creation(i, vectors[i : i + 1]) for i in range(COUNT)], None)
    await postgres_stores.memories.append(other, [creation(i, vectors[i : i + 1]) for i in range(50)], None)
    return space


async def nearest(view: StoreView, query: int, depth: int, text: str = "") -> Revisions:
    selection = await view.select(parse_filter(text, "filter") if text else None, NOW)
    return await view.dense(unit_vectors(1, 1_000 + query)[0], depth, selection)


def views(database: Database, space: Space, revision: int = COUNT) -> tuple[StoreView, StoreView]:
    """One that may use the index, one that may not."""
    return StoreView(database, space, revision, LARGE), StoreView(database, space, revision)


async def recall(views: Sequence[StoreView], text: str = "", depth: int = 10) -> float:
    by_index, exact = views
    shares = []
    for query in range(QUERIES):
        found, wanted = [await nearest(view, query, depth, text) for view in (by_index, exact)]
        assert len(found) == len(wanted)
        shares.append(len(np.intersect1d(found, wanted)) / len(wanted))
    return float(np.mean(shares))


async def test_the_index_finds_what_there_is(database: Database, space: Space) -> None:
    by_index, exact = views(database, space)
    await nearest(by_index, 0, 10)
    assert by_index.plan == "sql"
    await PostgresColdIndexes(database).build(space, DIMENSION)
    for text in ("", 'tags = "tag3"', 'NOT tags = "tag3"'):
        assert await recall((by_index, exact), text) >= 0.99
        assert (by_index.plan, exact.plan) == ("sql hnsw", "sql")


async def test_the_planner_walks_the_index(database: Database, space: Space) -> None:
    await PostgresColdIndexes(database).build(space, DIMENSION)
    parameters = {
        "space_id": space.id,
        "fingerprint": space.fingerprint,
        "revision": COUNT,
        "revisions": list(range(1, COUNT + 1)),
        "query": str(unit_vectors(1)[0].tolist()),
        "limit": 20,
    }
    async with database.transaction(space) as connection:
        for name, value in cold_search.SETTINGS.items():
            await connection.execute("SELECT set_config(%s, %s, TRUE)", (name, value))
        statement = f"EXPLAIN {cold_search._WALK.format(dimension=DIMENSION)}"
        rows = await (await connection.execute(statement, parameters, prepare=False)).fetchall()
    plan = "\n".join(line for (line,) in rows)
    vectors, way = index_names(space)
    assert f"Index Scan using {vectors}" in plan
    assert way in plan


async def test_few_that_match_are_compared_one_by_one(database: Database, space: Space) -> None:
    await PostgresColdIndexes(database).build(space, DIMENSION)
    by_index, exact = views(database, space)
    assert await recall((by_index, exact), 'tags = "rare7"') == 1.0
    assert by_index.plan == "sql"


async def test_when_the_index_gives_too_few_all_are_compared(
    database: Database, postgres_stores: Stores, space: Space
) -> None:
    """One memory with so many chunks near the query that the walk sees nothing else."""
    await PostgresColdIndexes(database).build(space, DIMENSION)
    query = unit_vectors(1, 1_000)[0]
    crowd = creation(COUNT, np.repeat(query[None, :], 200, axis=0))
    await postgres_stores.memories.append(space, [crowd], None)
    by_index, exact = views(database, space, COUNT + 1)
    found, wanted = await nearest(by_index, 0, 10), await nearest(exact, 0, 10)
    assert by_index.plan == "sql hnsw, sql"
    assert found.tolist() == wanted.tolist()


async def test_what_was_written_after_the_index_is_found(
    database: Database, postgres_stores: Stores, space: Space
) -> None:
    await PostgresColdIndexes(database).build(space, DIMENSION)
    await postgres_stores.memories.append(space, [creation(COUNT, unit_vectors(1, 1_000))], None)
    by_index, _ = views(database, space, COUNT + 1)
    assert (await nearest(by_index, 0, 10))[0] == COUNT + 1
    past, _ = views(database, space, COUNT)
    assert COUNT + 1 not in await nearest(past, 0, 10)


async def test_a_build_that_broke_off_is_made_good(database: Database, space: Space) -> None:
    indexes = PostgresColdIndexes(database)
    await indexes.build(space, DIMENSION)
    async with database.owner() as connection:
        await connection.execute(
            "UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = to_regclass('quipu.' || %s)",
            (index_names(space)[0],),
        )
    by_index, exact = views(database, space)
    assert await recall((by_index, exact)) == 1.0
    assert by_index.plan == "sql"
    assert [found.id for found in await indexes.large_spaces(LARGE)] == [space.id]
    await indexes.build(space, DIMENSION)
    assert await recall((by_index, exact)) >= 0.99
    assert by_index.plan == "sql hnsw"
    assert await indexes.large_spaces(LARGE) == []


async def test_an_index_may_be_built_anew(database: Database, space: Space) -> None:
    indexes = PostgresColdIndexes(database)
    await indexes.build(space, DIMENSION)
    await indexes.build(space, DIMENSION)
    assert await recall(views(database, space)) >= 0.99


async def test_what_is_not_needed_is_dropped(database: Database, postgres_stores: Stores, space: Space) -> None:
    indexes = PostgresColdIndexes(database)
    await indexes.build(space, DIMENSION)
    assert await indexes.drop_unneeded(LARGE) == 0
    await postgres_stores.spaces.delete_space(space, force=True, request=None)
    assert await indexes.drop_unneeded(LARGE) == 2
    assert await indexes.drop_unneeded(LARGE) == 0
