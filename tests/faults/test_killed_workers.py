"""Workers are killed in the middle of each kind of job: another one finishes it, and each effect is there once."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import psycopg
import pytest

from quipu_server.domain import Change, MemoryFields, Passage, Space, Write
from quipu_server.embedding import SHIPPED, read_directory
from quipu_server.ports.jobs import Job, JobQuery, JobState, NewJob
from quipu_server.ports.retention import Action, Home, PolicySettings
from quipu_server.retention.asking import new_run
from quipu_server.retention.progress import Progress
from quipu_server.store import Database, EmbeddedPostgres, PostgresMemoryStore, PostgresSpaceStore
from quipu_server.store.cold_indexes import PostgresColdIndexes, has_index
from quipu_server.store.jobs import PostgresJobStore
from quipu_server.store.policies import PostgresPolicyStore
from tests.postgres import connected

TENANT = "default"
COUNT = 400
LEASE_S = 2
PATIENCE_S = 60


@dataclass
class Site:
    """A database with one space of COUNT memories, and worker processes on it."""

    url: str
    database: Database
    space: Space
    options: Sequence[str] = ()

    @property
    def jobs(self) -> PostgresJobStore:
        return PostgresJobStore(self.database)

    @contextmanager
    def worker(self) -> Iterator["subprocess.Popen[bytes]"]:
        settings = ["--job-lease-s", f"{LEASE_S}", "--history-days", "7", "--embedding-workers", "1"]
        command = [sys.executable, "-m", "quipu_server", "worker", "--database-url", self.url]
        command += [*settings, *self.options]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                yield process
            finally:
                process.kill()

    async def value(self, statement: str, *values: object) -> Any:
        async with self.database.owner() as connection:
            row = await (await connection.execute(statement, values)).fetchone()
        return row[0] if row else None

    async def job(self, kind: str) -> Job | None:
        tenants = (TENANT, "")
        found = [job for tenant in tenants for job in await self.jobs.list_jobs(JobQuery(tenant, kind=kind))]
        return found[-1] if found else None

    async def until(self, holds: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if await holds():
                    return
                await asyncio.sleep(0.02)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    postgres = EmbeddedPostgres(tmp_path)
    url = await postgres.ensure_running()
    try:
        async with connected(url) as database:
            model = read_directory(SHIPPED).info
            made = Space(uuid4(), TENANT, "space", model.name, model.fingerprint)
            space = await PostgresSpaceStore(database).create_space(made, None)
            writes = [creation(number, model.dimension) for number in range(COUNT)]
            await PostgresMemoryStore(database).append(space, writes, None)
            yield Site(url, database, space)
    finally:
        await postgres.stop()


def creation(number: int, dimension: int) -> Write:
    """A memory that waits to be embedded."""
    nothing = np.empty((0, dimension), np.float32), np.empty((0, 2), np.int32)
    text = f"The lamp of ship {number} was lit"
    passage = Passage(uuid4(), text, ("lamp",), (1,), 1, *nothing)
    return Write(f"m{number}", Change.CREATED, MemoryFields(text), passage.id, 0, passage)


@asynccontextmanager
async def held(site: Site, statement: str) -> AsyncIterator[None]:
    """A transaction that others wait for."""
    async with await psycopg.AsyncConnection.connect(site.url) as connection:
        await connection.execute("SET search_path TO quipu, quipu_queue, public")
        await connection.execute(statement)
        yield
        await connection.rollback()


async def kill_in_the_middle(site: Site, kind: str, obstacle: str, waits: str) -> Job:
    """Kill the worker while its job waits for us with a statement like `waits`; the job as another has finished it."""

    async def is_waiting() -> bool:
        active = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE %s"
        job = await site.job(kind)
        return bool(job and job.state is JobState.RUNNING and await site.value(active, f"%{waits}%"))

    async with held(site, obstacle):
        with site.worker() as worker:
            await site.until(is_waiting)
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
    return await finish(site, kind)


async def finish(site: Site, kind: str) -> Job:
    async def has_ended() -> bool:
        job = await site.job(kind)
        return job is not None and job.state.is_end

    with site.worker():
        await site.until(has_ended)
    job = await site.job(kind)
    assert job is not None
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 2), job.error
    return job


async def test_embedding(site: Site) -> None:
    """A worker is killed while it embeds: another goes on, and each memory has one vector."""
    await site.jobs.enqueue(NewJob(TENANT, "embed", "space", {"space": "space"}, key="space"))

    async def is_in_the_middle() -> bool:
        return bool(0 < await site.value("SELECT count(*) FROM unembedded") < COUNT)

    with site.worker() as worker:
        await site.until(is_in_the_middle)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    assert await site.value("SELECT count(*) FROM unembedded") > 0
    await finish(site, "embed")
    assert await site.value("SELECT count(*) FROM unembedded") == 0
    assert await site.value("SELECT count(DISTINCT passage_id) FROM vectors") == COUNT
    assert await site.value("SELECT count(*) FROM vectors") == COUNT
    assert await site.value("SELECT count(*) FROM memory_revisions WHERE change = 5") == COUNT
    assert await site.value("SELECT count(DISTINCT memory_id) FROM memory_revisions WHERE change = 5") == COUNT


async def test_tidying(site: Site) -> None:
    """A worker is killed while it removes old request ids: another ends the job."""
    await site.value(
        "INSERT INTO requests SELECT gen_random_uuid(), gen_random_uuid(), '', 1, 1, now() - interval '8 days'"
        " FROM generate_series(1, 10) RETURNING 1"
    )
    job = await kill_in_the_middle(site, "tidy", "LOCK TABLE requests", "DELETE FROM requests")
    assert await site.value("SELECT count(*) FROM requests") == 0
    assert job.result["requests"] in (0, 10)  # 0 when what the dead one had asked for was done after its death


async def test_trimming_history(site: Site) -> None:
    """A worker is killed while it trims history: another ends it, and what is current stays."""
    memories = PostgresMemoryStore(site.database)
    before = (await memories.latest(site.space, ["m0"]))["m0"]
    await memories.append(
        site.space, [Write("m0", Change.UPDATED, before.fields, before.passage_id, before.revision)], None
    )
    await site.value("UPDATE memory_revisions SET update_time = now() - interval '8 days' RETURNING 1")
    obstacle = "SELECT FROM memory_revisions WHERE memory_id = 'm0' FOR UPDATE"
    await kill_in_the_middle(site, "trim-history", obstacle, "DELETE FROM memory_revisions")
    assert await site.value("SELECT count(*) FROM memory_revisions WHERE memory_id = 'm0'") == 1
    assert await site.value("SELECT count(*) FROM memory_revisions") == COUNT
    assert await site.value("SELECT count(*) FROM passages") == COUNT
    assert await site.value("SELECT oldest FROM heads") == COUNT + 1


async def test_building_an_index(site: Site) -> None:
    """A worker is killed while it builds an index: another builds it, and no half one is left."""
    site.options = ["--cold-index-memories", "0"]  # or the worker would drop it again, as the space is small
    await site.jobs.enqueue(NewJob(TENANT, "build-index", "space", {"space": "space"}, key="space"))
    # A writer that does not end: the build has made its entry in the catalogue, and waits.
    obstacle = "LOCK TABLE vectors IN ROW EXCLUSIVE MODE"
    await kill_in_the_middle(site, "build-index", obstacle, "CREATE INDEX CONCURRENTLY")
    async with site.database.unlocked() as connection:
        assert await has_index(connection, site.space)
    assert await site.value("SELECT count(*) FROM pg_class WHERE relname LIKE 'cold\\_%%' AND relkind = 'i'") == 2
    assert await PostgresColdIndexes(site.database).drop_unneeded(1) == 0


@pytest.mark.parametrize(
    ("kind", "obstacle", "waits"),
    [
        ("look-for-unembedded", "LOCK TABLE unembedded", "FROM unembedded"),
        ("look-for-large-spaces", "LOCK TABLE heads", "h.memory_count >="),
        ("look-for-retention", "LOCK TABLE retention_policies", "FROM retention_policies"),
    ],
)
async def test_looking_for_work(site: Site, kind: str, obstacle: str, waits: str) -> None:
    """A worker is killed while it looks for work: another finds it."""
    await kill_in_the_middle(site, kind, obstacle, waits)
    if kind == "look-for-unembedded":
        assert await site.job("embed") is not None


async def test_applying_policies(site: Site) -> None:
    """A worker is killed while it applies policies of retention: another ends it, and each memory is changed once."""
    site.options = ["--retention-every-s", "0"]  # only the job of this test
    await embedded(site)
    few = ", ".join(f'"m{number}"' for number in range(100))
    some = PolicySettings(Action.ARCHIVE, filter=f"id IN ({few})")
    await policy(site, "some", some)
    await policy(site, "others", PolicySettings(Action.DELETE, priority=1, importance_at_most=1.0))
    await site.jobs.enqueue(new_run(TENANT, "space"))
    # The first policy is done by then, and the second is in its transaction.
    obstacle = "SELECT FROM memory_revisions WHERE memory_id = 'm200' FOR UPDATE"
    job = await kill_in_the_middle(site, "retention", obstacle, "UPDATE memory_revisions SET ended")
    progress = Progress.of(job)
    assert [(count.policy.rpartition("/")[2], count.archived, count.deleted) for count in progress.counts] == [
        ("some", 100, 0),
        ("others", 0, COUNT - 100),
    ]
    for change, count in ((Change.ARCHIVED, 100), (Change.DELETED, COUNT - 100)):
        made = "SELECT count(*) FROM memory_revisions WHERE change = %s"
        assert await site.value(made, change) == count
        assert await site.value(made.replace("*", "DISTINCT memory_id"), change) == count
    assert await site.value("SELECT revision FROM heads") == 2 * COUNT


async def embedded(site: Site) -> None:
    """Let no memory wait for the embedder, whose work would change it."""
    await site.value("DELETE FROM unembedded RETURNING 1")


async def policy(site: Site, policy_id: str, settings: PolicySettings) -> None:
    await PostgresPolicyStore(site.database).create_policy(Home(TENANT, site.space), policy_id, settings, None)


async def test_two_schedulers_at_once_run_it_once(site: Site) -> None:
    """Two workers keep one schedule: each job runs once."""
    await embedded(site)
    await policy(site, "all", PolicySettings(Action.ARCHIVE, importance_at_most=1.0))

    async def has_run() -> bool:
        jobs = [await site.job(kind) for kind in ("tidy", "retention")]
        return all(job is not None and job.state.is_end for job in jobs)

    async def both_are_there() -> bool:
        return bool(await site.value("SELECT count(*) = 2 FROM procrastinate_workers"))

    with site.worker(), site.worker():
        await site.until(both_are_there)
        await site.until(has_run)
        await asyncio.sleep(2)  # some turns of both schedules
    kinds = ("tidy", "trim-history", "look-for-unembedded", "look-for-large-spaces", "look-for-retention")
    for tenant, kind in (*(("", kind) for kind in kinds), (TENANT, "retention")):
        jobs = await site.jobs.list_jobs(JobQuery(tenant, kind=kind))
        assert [(job.state, job.attempts) for job in jobs] == [(JobState.SUCCEEDED, 1)], kind
    assert await site.value("SELECT count(*) FROM memory_revisions WHERE change = 6") == COUNT
