"""Workers on a real queue, with kinds of jobs made for the test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import pytest
import pytest_asyncio

from quipu_server.errors import FailedPrecondition, StoreUnavailable
from quipu_server.jobs import Worker
from quipu_server.measuring import Metric, Source
from quipu_server.measuring.metrics import JOBS, JOBS_RUNNING
from quipu_server.ports.jobs import Job, JobContext, JobKind, JobKinds, JobOutcome, JobState, Json, Lease, NewJob
from quipu_server.store import Database
from quipu_server.store.job_leases import PostgresJobLeases
from quipu_server.store.jobs import PostgresJobStore
from tests.postgres import connected

pytestmark = pytest.mark.asyncio(loop_scope="session")

LEASE_S = 2.0
CONCURRENCY = 2


@dataclass(frozen=True, slots=True)
class Steps:
    """The payload: how many steps to go."""

    count: int = 3


Run = Callable[[JobContext, Steps], Awaitable[Json | None]]


@dataclass
class Site:
    """A kind of job, made for one test, and workers for it."""

    database: Database
    name: str
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    source: Source | None = None

    def shown(self, metric: Metric, *labels: str) -> object:
        """A value that the last worker shows."""
        assert self.source is not None
        return next(s.value for s in self.source.samples() if (s.metric, s.labels) == (metric, (self.name, *labels)))

    @property
    def store(self) -> PostgresJobStore:
        return PostgresJobStore(self.database)

    async def new(self, **payload: int) -> Job:
        return await self.store.enqueue(NewJob("default", self.name, payload=payload, most_attempts=3))

    @asynccontextmanager
    async def worker(
        self, run: Run, every_s: float = 0, leases: type[PostgresJobLeases] = PostgresJobLeases
    ) -> AsyncIterator["asyncio.Task[None]"]:
        kinds = JobKinds([JobKind(self.name, Steps, run, every_s=every_s)])
        made = Worker(self.database, self.store, leases(self.database), kinds, CONCURRENCY, LEASE_S)
        self.source, worker = made, asyncio.create_task(made.run())
        try:
            yield worker
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)

    async def until(self, job: Job, *states: JobState) -> Job:
        while True:
            found = await self.store.find_job("default", job.id)
            if found and found.state in states:
                return found
            await asyncio.sleep(0.02)

    async def ended(self, job: Job) -> Job:
        return await self.until(job, JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


@pytest_asyncio.fixture(loop_scope="session")
async def site(database_url: str) -> AsyncIterator[Site]:
    async with connected(database_url) as database:
        yield Site(database, uuid4().hex)


async def count(context: JobContext, payload: Steps) -> Json:
    for step in range(payload.count):
        await context.progress(step + 1, payload.count)
    return {"counted": payload.count}


async def test_a_job_is_done(site: Site) -> None:
    async with site.worker(count):
        job = await site.ended(await site.new(count=5))
    assert (job.state, job.result, job.done, job.total) == (JobState.SUCCEEDED, {"counted": 5}, 5, 5)
    assert (job.attempts, job.error) == (1, "")


async def test_what_failed_is_tried_again(site: Site) -> None:
    async def run(context: JobContext, payload: Steps) -> Json:
        if context.job.attempts == 1:
            raise RuntimeError("the first time")
        return {"error_before": context.job.error}

    async with site.worker(run):
        job = await site.ended(await site.new())
    assert (job.state, job.attempts, job.error) == (JobState.SUCCEEDED, 2, "")
    assert job.result == {"error_before": "the first time"}
    shown = [site.shown(JOBS, state) for state in ("queued", "succeeded", "failed", "lost")]
    assert (shown, site.shown(JOBS_RUNNING)) == ([1, 1, 0, 0], 0)


async def test_what_no_repetition_mends_fails_at_once(site: Site) -> None:
    async def run(context: JobContext, payload: Steps) -> Json:
        raise FailedPrecondition("spaces/a", "it is not so", reason="MODEL_MISMATCH")

    async with site.worker(run):
        job = await site.ended(await site.new())
    assert (job.state, job.attempts, job.error) == (JobState.FAILED, 1, "it is not so")


async def test_a_payload_that_the_kind_does_not_know_fails(site: Site) -> None:
    async with site.worker(count):
        job = await site.store.enqueue(NewJob("default", site.name, payload={"steps": 1}, most_attempts=1))
        assert (await site.ended(job)).state is JobState.FAILED


async def test_a_running_job_is_cancelled_even_when_it_does_not_ask(site: Site) -> None:
    async def run(context: JobContext, payload: Steps) -> None:
        site.begun.set()
        await site.go_on.wait()

    async with site.worker(run):
        job = await site.new()
        await site.begun.wait()
        await site.store.cancel("default", job.id)
        assert (await site.ended(job)).state is JobState.CANCELLED


async def test_a_worker_that_stops_hands_its_jobs_to_the_next(site: Site) -> None:
    async def run(context: JobContext, payload: Steps) -> Json:
        if context.job.checkpoint is None:
            await context.checkpoint({"from": 7}, 7, 10)
            site.begun.set()
            await site.go_on.wait()
        return dict(context.job.checkpoint or {})

    job = await site.new()
    async with site.worker(run):
        await site.begun.wait()
    assert (await site.until(job, JobState.QUEUED)).done == 7
    async with site.worker(run):
        ended = await site.ended(job)
    assert (ended.state, ended.result, ended.attempts) == (JobState.SUCCEEDED, {"from": 7}, 1)


async def test_what_is_due_is_done_once_by_many_workers(site: Site) -> None:
    runs = []

    async def run(context: JobContext, payload: Steps) -> None:
        runs.append(context.job.id)
        site.begun.set()

    async with site.worker(run, 3_600), site.worker(run, 3_600), site.worker(run, 3_600):
        await site.begun.wait()
        await asyncio.sleep(1.5)  # a turn for everybody who might do it again
    assert len(runs) == 1


async def test_a_worker_goes_on_when_its_lease_was_taken(site: Site) -> None:
    """As after a machine was asleep: the job belongs to another run, and the worker begins anew."""
    attempts = []

    async def run(context: JobContext, payload: Steps) -> None:
        attempts.append(context.job.attempts)
        if context.job.attempts == 1:
            site.begun.set()
            while True:
                await context.check_cancelled()
                await asyncio.sleep(0.01)

    async with site.worker(run):
        job = await site.new()
        await site.begun.wait()
        async with site.database.unlocked() as connection:
            await connection.execute("DELETE FROM procrastinate_workers")
        assert (await site.ended(job)).state is JobState.SUCCEEDED
    assert attempts == [1, 2]


async def test_a_worker_whose_lease_was_taken_lets_go_of_jobs_that_do_not_ask(site: Site) -> None:
    """They have all its room, so that it would not notice by looking for others."""
    begun = asyncio.Semaphore(0)

    async def run(context: JobContext, payload: Steps) -> None:
        if context.job.attempts == 1:
            begun.release()
            await site.go_on.wait()

    async with site.worker(run):
        jobs = [await site.new(count=number) for number in range(CONCURRENCY)]
        for _ in jobs:
            await begun.acquire()
        async with site.database.unlocked() as connection:
            await connection.execute("DELETE FROM procrastinate_workers")
        ended = [await site.ended(job) for job in jobs]
    assert [(job.state, job.attempts) for job in ended] == [(JobState.SUCCEEDED, 2)] * CONCURRENCY


async def test_a_job_whose_end_could_not_be_stored_is_done_again(site: Site) -> None:
    """By a worker that goes on: nobody takes over the jobs of one that lives."""

    class Failing(PostgresJobLeases):
        failures = 1

        async def settle(self, lease: Lease, outcome: JobOutcome) -> None:
            if self.failures:
                self.failures -= 1
                raise StoreUnavailable("all connections to the database are busy")
            await super().settle(lease, outcome)

    async with site.worker(count, leases=Failing):
        job = await site.ended(await site.new(count=2))
    assert (job.state, job.attempts) == (JobState.SUCCEEDED, 2)


async def test_jobs_are_taken_over_after_a_failure_that_nobody_expected(site: Site) -> None:
    class Failing(PostgresJobLeases):
        failures = 1

        async def take_over(self, lease_s: float) -> int:
            if self.failures:
                self.failures -= 1
                raise RuntimeError("nobody expected this")
            return await super().take_over(lease_s)

    async with site.worker(count, leases=Failing):
        job = await site.new(count=2)
        await site.ended(job)
        async with site.database.unlocked() as connection:
            await connection.execute(
                "UPDATE procrastinate_jobs SET status = 'doing' WHERE queue_name = %s", (site.name,)
            )
        assert (await site.ended(job)).attempts == 2


async def test_a_job_is_cancelled_while_it_begins(site: Site) -> None:
    class Slow(PostgresJobLeases):
        async def begin(self, lease: Lease) -> Job:
            site.begun.set()
            await site.go_on.wait()
            return await super().begin(lease)

    async with site.worker(count, leases=Slow):
        job = await site.new()
        await site.begun.wait()
        await site.store.cancel("default", job.id)
        assert (await site.ended(job)).state is JobState.CANCELLED


async def test_a_worker_stops_when_the_database_is_gone(site: Site) -> None:
    async with site.worker(count) as worker:
        await site.ended(await site.new())
        await site.database.close()
    assert worker.cancelled()
