"""The composition root: builds the parts, joins them, runs them, and takes them down in order."""

import asyncio
import ipaddress
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

import structlog

from quipu_server.announcement import announced
from quipu_server.config import Settings
from quipu_server.embedding import SHIPPED, OnnxEmbedder, read_directory
from quipu_server.errors import StartupError, StoreUnavailable
from quipu_server.hot import HotCatalogue, Snapshots, SnapshotStore
from quipu_server.indexes import Indexes
from quipu_server.ingesting import Ingesting
from quipu_server.memories import Memories
from quipu_server.passages import Passages
from quipu_server.rpc.memory_service import Streams
from quipu_server.rpc.server import RpcServer, UseCases
from quipu_server.search import Search
from quipu_server.search.freshness import Freshness
from quipu_server.spaces import Spaces
from quipu_server.store.database import Database, ExternalPostgres
from quipu_server.store.embedded import EmbeddedPostgres
from quipu_server.store.log import PostgresLog
from quipu_server.store.memories import PostgresMemoryStore
from quipu_server.store.requests import trim_requests
from quipu_server.store.spaces import PostgresSpaceStore
from quipu_server.store.uses import PostgresUseStore
from quipu_server.store.view import StoreView
from quipu_server.text import SnowballAnalyser
from quipu_server.uses import Uses
from quipu_server.watching import Watching

TIDY_EVERY_S = 3_600

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
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopped.set)
    async with running(settings) as server:
        log.info("listening", host=settings.host, port=server.port)
        stop = asyncio.create_task(stopped.wait())
        await asyncio.wait({stop, server.serving}, return_when=asyncio.FIRST_COMPLETED)
        if not stop.done():
            server.serving.result()
            settings.data_dir.mkdir(parents=True, exist_ok=True)
            # Only now: another server may hold the data directory until this one serves.
            with announced(settings.data_dir, f"{settings.host}:{server.port}"):
                await stop
        log.info("stopping")


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """A server that listens at once and becomes ready in the background; drained and stopped at the end."""
    check_exposure(settings)
    async with AsyncExitStack() as stack:
        embedder = build_embedder(settings)
        stack.callback(embedder.close)
        database = await open_database(settings, stack)
        catalogue = build_catalogue(settings, database)
        drain = Drain(settings.drain_s)
        stack.push_async_callback(lambda: catalogue.close(drain.left_s))
        use_cases = build_use_cases(database, embedder, catalogue)
        stack.push_async_callback(use_cases.uses.flush)
        server = RpcServer(settings, use_cases)
        port = await server.start()
        serving = asyncio.create_task(serve_when_ready(database, server))
        stack.push_async_callback(server.stop)
        others = [asyncio.create_task(follow(database, server, catalogue)), asyncio.create_task(tidy(database))]
        others.append(asyncio.create_task(use_cases.uses.run()))
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


async def follow(database: Database, server: RpcServer, catalogue: HotCatalogue) -> None:
    """Keep the health in step with the database, and see whether it is the same after it was away."""
    async for availability in database.changes():
        log.info("database", ready=availability.ready, reason=availability.reason)
        await server.health.set(serving=availability.ready)
        if availability.ready:
            with suppress(StoreUnavailable):
                await catalogue.recheck()


async def tidy(database: Database) -> None:
    """Forget answered requests once nobody repeats them any more, now and then for as long as the server runs."""
    while True:
        await asyncio.sleep(TIDY_EVERY_S)
        try:
            log.info("requests_forgotten", count=await trim_requests(database))
        except StoreUnavailable as error:
            log.warning("requests_not_forgotten", reason=str(error))


async def cancel(tasks: Sequence["asyncio.Task[None]"]) -> None:
    """End tasks and wait until they have."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def build_embedder(settings: Settings) -> OnnxEmbedder:
    """All models, the one for new spaces first. Raises StartupError."""
    directories = [read_directory(path) for path in (SHIPPED, *settings.model_dirs)]
    names = [directory.info.name for directory in directories]
    if settings.model and settings.model not in names:
        raise StartupError(f"there is no model {settings.model!r}; there are: {', '.join(names)}")
    directories.sort(key=lambda directory: directory.info.name != settings.model)
    return OnnxEmbedder(directories, settings.embedding_workers or os.cpu_count() or 1, settings.embedding_queue_tokens)


def build_catalogue(settings: Settings, database: Database) -> HotCatalogue:
    """The hot indexes over the log, and the database for what is not hot."""
    cold, directory = partial(StoreView, database), settings.index_dir
    snapshots = Snapshots(SnapshotStore(directory, settings.snapshot_bytes)) if directory else None
    return HotCatalogue(PostgresLog(database), cold, settings.hot_bytes, snapshots)


def build_use_cases(database: Database, embedder: OnnxEmbedder, catalogue: HotCatalogue) -> UseCases:
    """The use cases over their ports."""
    analyser = SnowballAnalyser()
    store, source = PostgresMemoryStore(database), PostgresLog(database)
    passages = Passages(embedder, analyser)
    spaces = Spaces(PostgresSpaceStore(database), embedder, analyser, catalogue)
    uses = Uses(PostgresUseStore(database), spaces)
    search = Search(Freshness(spaces, source), store, catalogue, embedder, analyser, passages, uses)
    memories = Memories(store, source, spaces, passages, catalogue)
    streams = Streams(Ingesting(store, spaces, passages, catalogue), Watching(spaces, store, source))
    indexes = Indexes(spaces, source, catalogue)
    return UseCases(memories, streams, spaces, search, embedder, indexes, uses)


def check_exposure(settings: Settings) -> None:
    """Raise StartupError for an address that others can reach, unless the operator said so."""
    if settings.insecure_open or settings.host == "localhost":
        return
    try:
        is_loopback = ipaddress.ip_address(settings.host.strip("[]")).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise StartupError(
            f"{settings.host} can be reached from other machines, and there is no access control;"
            " listen on 127.0.0.1, or set --insecure-open if something else guards the port"
        )
