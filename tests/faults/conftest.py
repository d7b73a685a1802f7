"""A server of this process, whose database is behind a gate."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio
from grpc import aio
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from quipu_server.app import Running, running
from quipu_server.config import Settings
from quipu_server.logs import configure_logs
from quipu_server.store import EmbeddedPostgres
from tests.faults.gate import Ends, Gate
from tests.faults.ledger import Ledger
from tests.integration.api import Api

on_the_session_loop = pytest_asyncio.fixture(scope="session", loop_scope="session")


@pytest.fixture(scope="session", autouse=True)
def logs() -> None:
    """Keep standard output for what is tested."""
    configure_logs("error", "json")


@dataclass
class Site:
    """PostgreSQL, the gate before it, and how to connect through the gate (url) or past it (conninfo)."""

    postgres: EmbeddedPostgres
    conninfo: str
    gate: Gate
    url: str = ""

    async def start_database(self) -> None:
        self.conninfo = await self.postgres.ensure_running()

    async def reach_database(self) -> Ends:
        directory = conninfo_to_dict(self.conninfo)["host"]
        return await asyncio.open_unix_connection(f"{directory}/.s.PGSQL.5432")

    async def execute(self, statement: str, dbname: str = "") -> list[Any]:
        """The rows of a statement, if it has any, past the gate."""
        conninfo = make_conninfo(self.conninfo, **({"dbname": dbname} if dbname else {}))
        async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
            cursor = await connection.execute(statement)
            return await cursor.fetchall() if cursor.description else []

    @asynccontextmanager
    async def serving(self, **settings: Any) -> AsyncIterator[Api]:
        """A server with settings of its own."""
        async with self.running(**settings) as started, aio.insecure_channel(f"127.0.0.1:{started.port}") as channel:
            yield Api.over(channel)

    @asynccontextmanager
    async def running(self, **settings: Any) -> AsyncIterator[Running]:
        given = {"port": 0, "database_url": self.url, "embedding_workers": 1, "job_workers": 0} | settings
        async with running(Settings.model_validate(given)) as started:
            await started.ready()
            yield started


@on_the_session_loop
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    postgres = EmbeddedPostgres(tmp_path_factory.mktemp("faults"))
    gate = Gate(lambda: made.reach_database())
    made = Site(postgres, await postgres.ensure_running(), gate)
    parts = conninfo_to_dict(made.conninfo)
    made.url = f"postgresql://{parts['user']}@127.0.0.1:{await gate.open()}/{parts['dbname']}"
    yield made
    await gate.close()
    await postgres.stop()


@on_the_session_loop
async def server(site: Site) -> AsyncIterator[Running]:
    """The server that most faults happen to."""
    async with site.running() as started:
        yield started


@on_the_session_loop
async def api(server: Running) -> AsyncIterator[Api]:
    async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield Api.over(channel)


@pytest.fixture
def space() -> str:
    return f"spaces/fault-{uuid4().hex}"


@pytest.fixture
def ledger(api: Api, space: str) -> Ledger:
    return Ledger(api, space)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"
