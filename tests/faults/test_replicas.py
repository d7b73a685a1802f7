"""Three servers on one PostgreSQL: every search sees what it must, also while servers and database are killed."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from random import Random

from grpc import aio

from quipu_server.store import EmbeddedPostgres
from tests.faults.replicas import SPACES, Traffic
from tests.integration.api import Api
from tests.scenarios.servers import ServerProcess

SECONDS = float(os.environ.get("QUIPU_TEST_SECONDS", "8"))
"""How long each test lets them work; `make test-long` lets them work longer."""

RECOVERY_S = 10.0
SEED = int(os.environ.get("QUIPU_TEST_SEED", time.time_ns() % 1_000_000))
# Without it the waits of a channel for a server that is down grow longer than its absence.
OPTIONS = [("grpc.max_reconnect_backoff_ms", 500), ("grpc.initial_reconnect_backoff_ms", 100)]


async def test_every_search_sees_what_was_acknowledged(tmp_path: Path) -> None:
    async with replicas(tmp_path) as (_, _, traffic):
        running = asyncio.create_task(traffic.run())
        await asyncio.sleep(SECONDS)
        await finish(traffic, running)
    assert traffic.broken_off == 0


async def test_a_killed_server_and_a_killed_database_make_no_search_wrong(tmp_path: Path) -> None:
    """One of three servers is killed, then PostgreSQL: every search on each sees what was acknowledged before it."""
    async with replicas(tmp_path) as (postgres, servers, traffic):
        running = asyncio.create_task(traffic.run())
        await asyncio.sleep(SECONDS / 4)
        servers[1].kill()
        await asyncio.sleep(SECONDS / 4)
        servers[1].start_again()
        await answered_by_all(traffic)
        kill_database(tmp_path / "postgres")
        await asyncio.sleep(1.0)
        await postgres.ensure_running()
        await answered_by_all(traffic)
        await asyncio.sleep(SECONDS / 4)
        await finish(traffic, running)
    assert traffic.broken_off > 0


@asynccontextmanager
async def replicas(directory: Path) -> AsyncIterator[tuple[EmbeddedPostgres, Sequence[ServerProcess], Traffic]]:
    """A database, three servers on it, and traffic over them that does not run yet."""
    postgres = EmbeddedPostgres(directory / "postgres")
    database_url = await postgres.ensure_running()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(postgres.stop)
        servers, apis = [], []
        for name in ("first", "second", "third"):
            server = ServerProcess(directory / name, database_url)
            stack.callback(server.stop)
            channel = await stack.enter_async_context(aio.insecure_channel(server.address, options=OPTIONS))
            servers.append(server)
            apis.append(Api.over(channel))
        for space in SPACES:
            await apis[0].create(space, "so that there is something else")
        yield postgres, servers, Traffic(apis, Random(SEED))


async def answered_by_all(traffic: Traffic) -> None:
    """Wait until every server has answered anew."""
    began = time.monotonic()
    while any(traffic.answered_at.get(server, 0.0) < began for server in range(len(traffic.servers))):
        assert time.monotonic() < began + RECOVERY_S, f"a server does not answer again: {traffic.answered_at}"
        await asyncio.sleep(0.05)


async def finish(traffic: Traffic, running: "asyncio.Task[None]") -> None:
    """Stop, and check what was recorded."""
    traffic.is_over = True
    await running
    counts = [sum(map(len, kind.values())) for kind in (traffic.history.changes, traffic.history.sights)]
    report = f"seed {SEED}: {counts[0]:,} changes, {counts[1]:,} searches, {traffic.broken_off:,} broken off"
    print(report)  # noqa: T201  what a long run is made for
    assert not traffic.history.violations(), report
    assert min(counts) > 20, report


def kill_database(directory: Path) -> None:
    """End PostgreSQL without a chance to write anything."""
    pid = int((directory / "postgres" / "postmaster.pid").read_text("utf-8").split()[0])
    os.kill(pid, signal.SIGKILL)
