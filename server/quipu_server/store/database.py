"""Connections to PostgreSQL: a pool for as long as the database answers, and whether it does."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from weakref import WeakSet

import psycopg
from psycopg.types.composite import CompositeInfo
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from quipu_server import tracing
from quipu_server.errors import StartupError, StoreUnavailable
from quipu_server.measuring import Sample
from quipu_server.store import scoping
from quipu_server.store.inserting import find_row_types, prepare_inserts
from quipu_server.store.links import CONNECT_TIMEOUT_S, Connection, configure, first_line, sever, with_settings
from quipu_server.store.measures import samples_of
from quipu_server.store.reading import Reader, Row
from quipu_server.store.roles import SYSTEM_ROLE, TENANT_ROLE
from quipu_server.store.schema import prepare
from quipu_server.store.scoping import Whose
from quipu_server.store.servers import Availability, Postgres

FIRST_RETRY_S = 0.1
LONGEST_RETRY_S = 5.0
HEARTBEAT_S = 5.0
"""How long a database that nobody asks may be away before it is noticed."""
ANSWER_S = 10.0
"""How long a connection may be silent when the database is asked whether it is there."""
ROLES = (TENANT_ROLE, SYSTEM_ROLE)
"""Of the connections for short reads, one each."""
POOL_TIMEOUT_S = 5.0
"""How long a request waits for a connection while others use them all."""


class Database:
    """Connects when PostgreSQL is there, waits while it is not, and connects again when it is back."""

    def __init__(self, postgres: Postgres, pool_size: int = 8) -> None:
        self._postgres = postgres
        self._pool_size = pool_size
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._readers: Mapping[str, Reader] = {}
        self._row_types: Sequence[CompositeInfo] = ()
        self._connections = AsyncExitStack()
        self._made: WeakSet[Connection] = WeakSet()
        self._availability = Availability(False, "the database has not answered yet")
        self._changed = asyncio.Condition()
        self._lost = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self.revisions_written = 0

    async def open(self) -> None:
        """Begin to connect, in the background."""
        self._keeper = asyncio.create_task(self._keep_connected(), name="database")

    async def close(self) -> None:
        """Give up the connections."""
        if self._keeper is not None:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError, StartupError):
                await self._keeper
        await self._close_pool()

    @property
    def availability(self) -> Availability:
        return self._availability

    def samples(self) -> Iterable[Sample]:
        """Whether the database answers, how busy the connections are, and what was written."""
        statistics = self._pool.get_stats() if self._pool is not None else {}
        return samples_of(statistics, self._availability.ready, self._pool_size, self.revisions_written)

    async def changes(self) -> AsyncIterator[Availability]:
        """The availability now, and whenever it has changed."""
        seen = self._availability
        yield seen
        while True:
            async with self._changed:
                while self._availability is seen:
                    await self._changed.wait()
                seen = self._availability
            yield seen

    async def wait_ready(self) -> None:
        """Wait until the database answers. Raises StartupError when this server cannot work with it."""
        assert self._keeper is not None, "open() comes first"
        waiting = asyncio.create_task(self._wait_available())
        try:
            await asyncio.wait({waiting, self._keeper}, return_when=asyncio.FIRST_COMPLETED)
            if self._keeper.done():
                await self._keeper
        finally:
            waiting.cancel()

    @asynccontextmanager
    async def transaction(self, whose: Whose, *, snapshot: bool = False) -> AsyncIterator[Connection]:
        """A connection in a transaction, which ends with the block: committed, or rolled back by an exception.

        It sees and changes what belongs to the space or the tenant. snapshot: it sees all as it is when it begins.
        Raises StoreUnavailable.
        """
        async with self._leased() as connection, scoping.transaction(connection, whose, snapshot=snapshot):
            yield connection

    @asynccontextmanager
    async def unlocked(self) -> AsyncIterator[Connection]:
        """The same for work on all tenants: nothing but the predicates of its statements keeps them apart."""
        async with self._leased() as connection, scoping.unlocked(connection):
            yield connection

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[Connection]:
        """A connection in autocommit mode that may build indexes and clean tables, as who owns them."""
        async with self._leased() as connection, scoping.owner(connection):
            yield connection

    async def fetch(
        self, whose: Whose, statement: str, *parameters: bytes | None, prepared: bool = True
    ) -> Sequence[Row]:
        """The rows of a short read that is made again and again; see `Reader.fetch`. Raises StoreUnavailable."""
        tenant, space_id = scoping.entered(whose)
        entered = (tenant.encode(), None if space_id is None else space_id.bytes)
        return await self._read(TENANT_ROLE, statement, parameters, entered, prepared)

    async def fetch_unlocked(self, statement: str, *parameters: bytes | None) -> Sequence[Row]:
        """The same for reads that look over all tenants. Raises StoreUnavailable."""
        return await self._read(SYSTEM_ROLE, statement, parameters)

    async def pool(self) -> AsyncConnectionPool[Connection]:
        """All connections, once there are some; others follow when these are lost."""
        while (pool := self._pool) is None:
            await self._wait_available()
        return pool

    @asynccontextmanager
    async def _leased(self) -> AsyncIterator[Connection]:
        """A connection. Raises StoreUnavailable, also for what the driver raises meanwhile."""
        if (pool := self._pool) is None:
            raise StoreUnavailable(f"the database cannot be reached: {self._availability.reason}")
        connection: Connection | None = None
        try:
            with tracing.span("postgresql"):
                async with pool.connection() as connection:
                    yield connection
        except PoolTimeout as error:
            raise StoreUnavailable("all connections to the database are busy") from error
        except psycopg.errors.ReadOnlySqlTransaction as error:
            raise StoreUnavailable("the database is read-only now") from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if pool is self._pool and (connection is None or connection.closed):
                self._lost.set()
            raise StoreUnavailable(f"the database did not answer: {first_line(error)}") from error

    async def _read(
        self,
        role: str,
        statement: str,
        parameters: Sequence[bytes | None],
        entered: Sequence[bytes | None] | None = None,
        prepared: bool = True,
    ) -> Sequence[Row]:
        if (reader := self._readers.get(role)) is None:
            raise StoreUnavailable(f"the database cannot be reached: {self._availability.reason}")
        try:
            return await reader.fetch(statement, *parameters, entered=entered, prepared=prepared)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise StoreUnavailable(f"the database did not answer: {first_line(error)}") from error

    async def _keep_connected(self) -> None:
        was_ready = False
        retry_s = FIRST_RETRY_S
        while True:
            try:
                await self._connect()
            except StartupError as error:
                if not was_ready:
                    raise
                await self._set(Availability(False, str(error)))
            except (psycopg.Error, OSError) as error:
                await self._set(Availability(False, first_line(error)))
            else:
                was_ready, retry_s = True, FIRST_RETRY_S
                await self._set(Availability(True))
                await self._wait_lost()
                await self._set(Availability(False, "the connection was lost"))
                await self._close_pool()
                continue
            await asyncio.sleep(retry_s)
            retry_s = min(2 * retry_s, LONGEST_RETRY_S)

    async def _connect(self) -> None:
        address = await self._postgres.ensure_running()
        await prepare(with_settings(address))
        async with AsyncExitStack() as stack:
            pool = AsyncConnectionPool(
                with_settings(address, role=TENANT_ROLE),
                configure=self._configure,
                min_size=min(2, self._pool_size),
                max_size=self._pool_size,
                timeout=POOL_TIMEOUT_S,
                open=False,
                name="quipu",
            )
            stack.push_async_callback(pool.close, timeout=1.0)
            await pool.open(wait=True, timeout=CONNECT_TIMEOUT_S)
            self._lost.clear()
            self._readers = {role: await self._reader(stack, with_settings(address, role=role)) for role in ROLES}
            self._connections = stack.pop_all()
        self._pool = pool

    async def _reader(self, stack: AsyncExitStack, conninfo: str) -> Reader:
        connection: Connection = await psycopg.AsyncConnection.connect(conninfo)
        stack.push_async_callback(connection.close)
        await configure(connection)
        return Reader(connection, self._lost.set)

    async def _configure(self, connection: Connection) -> None:
        await configure(connection)
        self._row_types = self._row_types or await find_row_types(connection)
        prepare_inserts(connection, self._row_types)
        self._made.add(connection)

    async def _close_pool(self) -> None:
        readers, self._readers, self._pool = self._readers, {}, None
        for reader in readers.values():
            reader.stop()
        await self._connections.aclose()

    async def _wait_lost(self) -> None:
        """Return when a connection broke, or the database does not answer a question put to it now and then."""
        while not self._lost.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), HEARTBEAT_S)
                return
            try:
                with suppress(StoreUnavailable):
                    asked = (self._read(role, "SELECT 1", ()) for role in ROLES)
                    await asyncio.wait_for(asyncio.gather(*asked), ANSWER_S)
            except TimeoutError:
                for connection in list(self._made):
                    sever(connection)
                return

    async def _wait_available(self) -> None:
        async for availability in self.changes():
            if availability.ready:
                return

    async def _set(self, availability: Availability) -> None:
        async with self._changed:
            self._availability = availability
            self._changed.notify_all()
