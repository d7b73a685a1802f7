"""Statements on tables of which PostgreSQL knows nothing yet, as after the first bulk load: no analysis has run."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from quipu_server.domain import Space
from quipu_server.store import Database
from quipu_server.store.conversation import SURROUNDINGS
from tests.contract.stores import Stores, a_creation

MESSAGES = 2_000
SESSIONS = 20
ASKED = 100


@pytest.fixture
async def space(postgres_stores: Stores) -> Space:
    space = await postgres_stores.new_space()
    said = [a_creation(f"m{i}", f"text {i}", session=f"s{i % SESSIONS}") for i in range(MESSAGES)]
    await postgres_stores.memories.append(space, said, None)
    return space


async def test_neighbours_are_looked_up_one_by_one(database: Database, space: Space) -> None:
    """Joined badly, each message asked for would be compared with all of its space."""
    asked = list(range(1, MESSAGES, MESSAGES // ASKED))
    parameters = {"space_id": space.id, "revision": MESSAGES, "revisions": asked}
    async with database.transaction(space) as connection:
        rows = await connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {SURROUNDINGS}", parameters, prepare=False)
        ((plan,),) = await rows.fetchall()
    assert sum(touched(plan[0]["Plan"])) < 2 * MESSAGES


def touched(plan: Mapping[str, Any]) -> Iterator[float]:
    """The rows that each step of a plan looked at."""
    yield (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    for step in plan.get("Plans", ()):
        yield from touched(step)
