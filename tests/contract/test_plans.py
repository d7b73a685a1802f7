"""Behind the policies statements take the same ways through the tables as without them."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from quipu_server.domain import Space
from quipu_server.filters import parse_filter
from quipu_server.store import Database, log, memories, sessions, view
from quipu_server.store.conditions import compile_condition
from quipu_server.store.links import Connection
from tests.contract.stores import Stores, a_creation, unit_vectors

COUNT = 400
CONDITION = 'tags = "t3" AND metadata.kind = "k" AND speaker = "ann"'
STATEMENTS = {
    "words": view._POSTINGS,
    "lengths of texts": view._LENGTHS,
    "filter by tags and metadata": view._SELECT,
    "filter of a hot index": log._MATCHING,
    "vectors": view._NEAREST,
    "evidence": view._EVIDENCE,
    "snapshot": log._SNAPSHOT,
    "tail": log._TAIL,
    "newest versions": memories._LATEST,
    "hydration": memories._HYDRATE,
    "history": memories._HISTORY,
    "messages": sessions._OLDEST_PAGE,
}


@pytest.fixture
async def space(postgres_stores: Stores) -> Space:
    space, other = await postgres_stores.new_space(), await postgres_stores.new_space()
    for each in (space, other):
        writes = [a_creation(f"m{i}", f"word{i} text", tags=(f"t{i % 9}",), session="s") for i in range(COUNT)]
        await postgres_stores.memories.append(each, writes, None)
    return space


def explained(statement: str, space: Space) -> tuple[str, dict[str, Any]]:
    """The statement as it is sent, with values in the place of $1, $2 …"""
    predicate = compile_condition(parse_filter(CONDITION, "filter"))
    parameters = {
        "space_id": space.id,
        "fingerprint": space.fingerprint,
        "revision": COUNT,
        "now": datetime.now(UTC),
        "terms": ["word7", "text"],
        "query": str(unit_vectors(1)[0].tolist()),
        "revisions": list(range(1, 50)),
        "least": -1.0,
        "limit": 20,
        "after": 0,
        "session": "s",
        **predicate.parameters,
    }
    numbered = {"$1": f"'{space.id}'", "$3::timestamptz": "now()", "$3": "100", "$4": "10"}
    numbered["$2"] = "'{1,2,3}'" if "$2::bigint[]" in statement else "'{m1}'" if "$2::text[]" in statement else "'m1'"
    statement = statement.replace("{condition}", predicate.sql)
    for name, value in numbered.items():
        statement = statement.replace(name, value)
    return statement, parameters


async def ways(connection: Connection, statement: str, parameters: dict[str, Any]) -> list[str]:
    """Each table that is read, how, and by which conditions."""
    rows = await connection.execute(f"EXPLAIN (COSTS OFF) {statement}", parameters, prepare=False)
    lines = [re.sub(r"[ >-]*(\S.*)", r"\1", line) for (line,) in await rows.fetchall()]
    return sorted(line for line in lines if re.match(r"(\w+ )*Scan|Index Cond", line))


@pytest.mark.parametrize("name", STATEMENTS)
async def test_the_way_is_the_same(database: Database, space: Space, name: str) -> None:
    statement, parameters = explained(STATEMENTS[name], space)
    async with database.transaction(space) as connection:
        behind = await ways(connection, statement, parameters)
    async with database.unlocked() as connection:
        before = await ways(connection, statement, parameters)
    assert behind == before
    assert any("Index" in line for line in behind)
    assert not any("Seq Scan" in line for line in behind)
