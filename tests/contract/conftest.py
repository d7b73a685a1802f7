"""Every implementation of the store, in turn."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from quipu_server.store import Database, PostgresLog, PostgresMemoryStore, PostgresSessionStore, PostgresSpaceStore
from quipu_server.store.policies import PostgresPolicyStore
from quipu_server.store.retention import PostgresRetentionStore
from tests.contract.memory_sessions import memory_stores
from tests.contract.stores import TENANTS, Stores
from tests.postgres import Cluster, connected, make_tenants


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("postgres"))
    asyncio.run(cluster.start())
    yield cluster
    asyncio.run(cluster.stop())


@pytest.fixture
async def database(cluster: Cluster) -> AsyncIterator[Database]:
    """A new database, migrated and empty."""
    async with cluster.empty_database() as url, connected(url) as database:
        yield database


@pytest.fixture
async def postgres_stores(database: Database) -> Stores:
    await make_tenants(database, *TENANTS)
    return Stores(
        PostgresSpaceStore(database),
        PostgresMemoryStore(database),
        PostgresLog(database),
        PostgresSessionStore(database),
        PostgresPolicyStore(database),
        PostgresRetentionStore(database),
    )


@pytest.fixture(params=["postgres", "memory"])
def stores(request: pytest.FixtureRequest) -> Stores:
    """The stores of each kind."""
    if request.param == "memory":
        return memory_stores()
    found: Stores = request.getfixturevalue("postgres_stores")
    return found
