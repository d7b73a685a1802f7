"""A real PostgreSQL for tests: one server, migrated once into a template, and a database of its own for each test."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg.conninfo import make_conninfo

from quipu_server.access.domain import AuditEntry, Tenant
from quipu_server.store import Database, EmbeddedPostgres, ExternalPostgres
from quipu_server.store.access import PostgresAccessStore
from quipu_server.store.schema import prepare

TEMPLATE = "quipu_template"


class Cluster:
    """An embedded PostgreSQL."""

    def __init__(self, directory: Path) -> None:
        self._postgres = EmbeddedPostgres(directory)
        self._conninfo = ""

    async def start(self) -> None:
        """Start it and make the template."""
        self._conninfo = await self._postgres.ensure_running()
        await self.execute(f"CREATE DATABASE {TEMPLATE}")
        await prepare(self.url(TEMPLATE))

    async def stop(self) -> None:
        await self._postgres.stop()

    def url(self, name: str) -> str:
        """How to connect to one of its databases."""
        return make_conninfo(self._conninfo, dbname=name)

    @asynccontextmanager
    async def empty_database(self, template: str = TEMPLATE) -> AsyncIterator[str]:
        """The URL of a new database, dropped at the end. With template1 it is not migrated."""
        name = f"test_{uuid4().hex}"
        await self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            await self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def execute(self, statement: str) -> None:
        async with await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
            await connection.execute(statement)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Database]:
    """A Database that is ready."""
    database = Database(ExternalPostgres(url), pool_size=4)
    await database.open()
    try:
        await database.wait_ready()
        yield database
    finally:
        await database.close()


async def prepared_at_once(*urls: str) -> None:
    """Have processes of their own, as replicas are, bring the schemas up to date at the same time."""
    code = "import asyncio, sys; from quipu_server.store.schema import prepare; asyncio.run(prepare(sys.argv[1]))"
    replicas = [await asyncio.create_subprocess_exec(sys.executable, "-c", code, url) for url in urls]
    assert [await replica.wait() for replica in replicas] == [0] * len(urls)


async def make_tenants(database: Database, *tenants: str) -> None:
    """Create tenants, as an administrator would."""
    store = PostgresAccessStore(database)
    for tenant in tenants:
        await store.create_tenant(Tenant(tenant), AuditEntry(tenant, "test", "CreateTenant", f"tenants/{tenant}"))
