"""More spaces than memory holds, on a real PostgreSQL: none is refused, and those in use stay hot."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from random import Random
from uuid import uuid4

import pytest
import pytest_asyncio

from quipu_server.domain import Path, Space
from quipu_server.hot import HotCatalogue
from quipu_server.hot.estimate import Estimate
from quipu_server.hot.resident import BASE_BYTES
from quipu_server.ports import SearchView
from quipu_server.store import (
    Database,
    ExternalPostgres,
    PostgresLog,
    PostgresMemoryStore,
    PostgresSpaceStore,
    StoreView,
)
from tests.integration.population import Population
from tests.logs import unit_vector

pytestmark = pytest.mark.asyncio(loop_scope="session")

SPACES, MEMORIES, ROOM, IN_USE, AT_ONCE = 1_000, 8, 50, 30, 16


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(ExternalPostgres(database_url))
    await opened.open()
    await opened.wait_ready()
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def spaces(database: Database) -> Sequence[Space]:
    """Spaces with some memories each."""
    store, memories, population = PostgresSpaceStore(database), PostgresMemoryStore(database), Population(3)

    async def fill(number: int) -> Space:
        space = await store.ensure_space(Space(uuid4(), "default", f"many-{uuid4().hex}", "model", "fingerprint"))
        await memories.append(space, [population.create(number * MEMORIES + i) for i in range(MEMORIES)], None)
        return space

    return [
        space for start in range(0, SPACES, 50) for space in await asyncio.gather(*map(fill, range(start, start + 50)))
    ]


class Crowd:
    """Searches spaces, and watches what their indexes take meanwhile."""

    def __init__(self, database: Database, budget_bytes: int) -> None:
        self.log = PostgresLog(database)
        self.catalogue = HotCatalogue(self.log, partial(StoreView, database), budget_bytes)
        self.budget_bytes = budget_bytes
        self.most_bytes = 0
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._vector = unit_vector(4)

    async def search(self, space: Space) -> SearchView:
        """Find all memories of a space."""
        async with self._turns:
            head = (await self.log.heads([space.id]))[space.id]
            view = await self.catalogue.view(space, head)
            selection = await view.select(None, head.now)
            assert len(await view.dense(self._vector, 100, selection)) == selection.count
        self.most_bytes = max(self.most_bytes, self.catalogue.used_bytes)
        return view

    async def search_all(self, spaces: Sequence[Space]) -> int:
        """Search at once as many as may; how many answered from memory."""
        views = await asyncio.gather(*map(self.search, spaces))
        return sum(view.path is Path.HOT for view in views)

    async def watch(self) -> None:
        while True:
            self.most_bytes = max(self.most_bytes, self.catalogue.used_bytes)
            await asyncio.sleep(0)


@asynccontextmanager
async def crowd(database: Database, spaces: Sequence[Space]) -> AsyncIterator[Crowd]:
    """With memory for some of the spaces."""
    made = Crowd(database, ROOM * (BASE_BYTES + Estimate().of(MEMORIES)))
    watching = asyncio.create_task(made.watch())
    try:
        yield made
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await made.catalogue.close()


async def test_nobody_is_refused_and_memory_stays_within_the_budget(
    database: Database, spaces: Sequence[Space]
) -> None:
    async with crowd(database, spaces) as made:
        shuffled = Random(0).choices(spaces, k=2_000)
        hot = await made.search_all(shuffled)
        assert 0 < hot < len(shuffled)
        assert made.budget_bytes / 2 < made.most_bytes <= made.budget_bytes


async def test_spaces_in_use_stay_hot_during_a_scan(database: Database, spaces: Sequence[Space]) -> None:
    async with crowd(database, spaces) as made:
        used, others = spaces[:IN_USE], spaces[IN_USE:]
        for _ in range(50):
            if await made.search_all(used) == IN_USE:
                break
        else:
            pytest.fail("the spaces in use do not become hot")
        for start in range(0, len(others), 97):
            await made.search_all(others[start : start + 97])
            assert await made.search_all(used) == IN_USE
        assert made.most_bytes <= made.budget_bytes
