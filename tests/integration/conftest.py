"""Real servers in this process, on one real database: one with hot indexes, one that answers from the store."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from grpc import aio

from quipu_server.app import Running, running
from quipu_server.config import Settings
from quipu_server.logs import configure_logs
from quipu_server.store import EmbeddedPostgres
from tests.integration.api import Api

on_the_session_loop = pytest_asyncio.fixture(scope="session", loop_scope="session")


@pytest.fixture(scope="session", autouse=True)
def logs() -> None:
    """Keep standard output for what is tested."""
    configure_logs("error", "json")


@on_the_session_loop
async def database_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A PostgreSQL for all tests."""
    postgres = EmbeddedPostgres(tmp_path_factory.mktemp("data"))
    yield await postgres.ensure_running()
    await postgres.stop()


@pytest.fixture
def no_database(tmp_path: Path) -> str:
    """Where no PostgreSQL is."""
    return f"postgresql://quipu@/quipu?host={tmp_path}"


@on_the_session_loop
async def server(database_url: str) -> AsyncIterator[Running]:
    async with running(Settings(port=0, database_url=database_url)) as started:
        await started.ready()
        yield started


@on_the_session_loop
async def api(server: Running) -> AsyncIterator[Api]:
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield Api.over(channel)


@on_the_session_loop
async def replica(database_url: str) -> AsyncIterator[Api]:
    """A second server on the same database, without memory for indexes."""
    async with running(Settings(port=0, database_url=database_url, hot_bytes=0)) as started:
        await started.ready()
        async with aio.insecure_channel(f"127.0.0.1:{started.port}") as channel:
            yield Api.over(channel)


@pytest.fixture(params=["hot", "store"])
def either(request: pytest.FixtureRequest, api: Api, replica: Api) -> Api:
    """Each of the two servers in turn."""
    return {"hot": api, "store": replica}[request.param]


@pytest.fixture
def space() -> str:
    """A name of its own for the space of a test."""
    return f"spaces/test-{uuid4().hex}"
