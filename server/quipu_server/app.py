"""The composition root: builds the parts, joins them, runs them, and takes them down in order."""

import asyncio
import gc
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import structlog

from quipu_server import __version__
from quipu_server.access.usage import Usage
from quipu_server.announcement import announced
from quipu_server.assembly import Parts, build_catalogue, build_use_cases
from quipu_server.background import build_kinds, build_worker
from quipu_server.config import Settings
from quipu_server.doors import read_credentials
from quipu_server.embedding.building import build_embedders
from quipu_server.errors import StartupError, StoreUnavailable
from quipu_server.hot import HotCatalogue
from quipu_server.measuring import Measurements, Source
from quipu_server.observation import observed
from quipu_server.retention.tally import Tally
from quipu_server.rpc.server import RpcServer
from quipu_server.store.database import Database
from quipu_server.store.embedded import EmbeddedPostgres
from quipu_server.store.servers import ExternalPostgres
from quipu_server.store.usage import PostgresUsageStore

COLLECTED_OBJECTS = 20_000
"""New objects that make Python look for cycles among them."""

log = structlog.get_logger("quipu")


@dataclass(frozen=True, slots=True)
class Running:
    """A server that listens."""

    port: int
    serving: "asyncio.Task[None]"

    async def ready(self) -> None:
        """Wait until it serves. Raises StartupError when it never can."""
        await asyncio.shield(self.serving)


@dataclass(slots=True)
class Drain:
    """The time that a server has to stop."""

    length_s: float
    ends_s: float = 0.0

    def begin(self) -> None:
        self.ends_s = time.monotonic() + self.length_s

    @property
    def left_s(self) -> float:
        """None before it began, and once it is over."""
        return max(0.0, self.ends_s - time.monotonic())


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises StartupError when the server cannot start."""
    stop = stop_signal()
    async with running(settings) as server:
        log.info("listening", host=settings.host, port=server.port)
        await asyncio.wait({stop, server.serving}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.done():
            server.serving.result()
            spare_collector()
            settings.data_dir.mkdir(parents=True, exist_ok=True)
            # Only now: another server may hold the data directory until this one serves.
            with announced(settings.data_dir, f"{settings.host}:{server.port}"):
                await stop
        log.info("stopping")


async def run_worker(settings: Settings) -> None:
    """Do jobs until SIGTERM or SIGINT, without serving. Raises StartupError when the database cannot be worked with."""
    if not settings.database_url:
        raise StartupError("a worker needs --database-url: an embedded database is for its own server, which does jobs")
    stop = stop_signal()
    async with AsyncExitStack() as stack:
        embedder = build_embedders(settings)
        stack.push_async_callback(embedder.close)
        await embedder.start()
        database = await open_database(settings, stack)
        catalogue = build_catalogue(settings.model_copy(update={"hot_bytes": 0, "snapshot_bytes": 0}), database)
        stack.push_async_callback(lambda: catalogue.close(0.0))
        tally = Tally()
        worker = build_worker(settings, database, build_kinds(settings, database, embedder, catalogue, tally))
        sources: list[Source] = [embedder, database, worker, tally]
        await stack.enter_async_context(observed(settings, sources, lambda: database.availability.ready))
        await database.wait_ready()
        working = asyncio.create_task(worker.run())
        stack.push_async_callback(cancel, [working])
        log.info("working", jobs=settings.job_workers)
        await asyncio.wait({stop, working}, return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping")


def stop_signal() -> "asyncio.Task[bool]":
    """A task that ends at SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    return asyncio.create_task(stopped.wait())


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """A server that listens at once and becomes ready in the background; drained and stopped at the end."""
    credentials = read_credentials(settings)
    async with AsyncExitStack() as stack:
        meter = Measurements(__version__)
        database = await open_database(settings, stack)
        usage = Usage(PostgresUsageStore(database))
        embedder = build_embedders(settings, usage)
        stack.push_async_callback(embedder.close)
        await embedder.start()
        catalogue = build_catalogue(settings, database)
        drain = Drain(settings.drain_s)
        stack.push_async_callback(lambda: catalogue.close(drain.left_s))
        tally = Tally()
        kinds = build_kinds(settings, database, embedder, catalogue, tally)
        use_cases = build_use_cases(Parts(settings, database, embedder, catalogue, kinds, meter, usage, credentials))
        stack.push_async_callback(use_cases.uses.flush)
        server = RpcServer(settings, use_cases, meter)
        worker = build_worker(settings, database, kinds)
        # Who measures something else is listed here.
        sources: list[Source] = [meter, embedder, catalogue, database, usage, worker, tally]
        await stack.enter_async_context(observed(settings, sources, lambda: server.health.is_serving))
        port = await server.start()
        serving = asyncio.create_task(serve_when_ready(database, server))
        stack.push_async_callback(server.stop)
        background = [
            follow(database, server, catalogue),
            usage.exchange(),
            catalogue.tidy(),
            catalogue.check(),
            use_cases.uses.run(),
        ]
        if settings.job_workers:
            background.append(worker.run())
        others = [asyncio.create_task(work) for work in background]
        stack.push_async_callback(cancel, [serving, *others])
        stack.callback(drain.begin)
        yield Running(port, serving)


async def open_database(settings: Settings, stack: AsyncExitStack) -> Database:
    """The database of the settings; it connects in the background."""
    postgres = ExternalPostgres(settings.database_url) if settings.database_url else EmbeddedPostgres(settings.data_dir)
    if isinstance(postgres, EmbeddedPostgres):
        stack.push_async_callback(postgres.stop)
    database = Database(postgres, settings.pool_size)
    stack.push_async_callback(database.close)
    await database.open()
    return database


async def serve_when_ready(database: Database, server: RpcServer) -> None:
    """Serve once the database answers. Raises StartupError when this server cannot work with it."""
    await database.wait_ready()
    await server.health.set(serving=True)
    log.info("serving")


def spare_collector() -> None:
    """Have Python look for cycles seldom, and not among what the start made: almost nothing here is cyclic.

    By default a twelfth of the time of storing vectors went into it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_OBJECTS, 20, 50)


async def follow(database: Database, server: RpcServer, catalogue: HotCatalogue) -> None:
    """Keep the health in step with the database, and see whether it is the same after it was away."""
    async for availability in database.changes():
        log.info("database", ready=availability.ready, reason=availability.reason)
        await server.health.set(serving=availability.ready)
        if availability.ready:
            with suppress(StoreUnavailable):
                await catalogue.recheck()


async def cancel(tasks: Sequence["asyncio.Task[None]"]) -> None:
    """End tasks and wait until they have."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
