"""What jobs promise, on PostgreSQL."""

import asyncio
from typing import Any

import pytest

from quipu_server.ports.jobs import Job, JobOutcome, JobQuery, JobState, Lease, LeaseLost, NewJob
from quipu_server.store import Database
from quipu_server.store.job_leases import PostgresJobLeases
from quipu_server.store.jobs import PostgresJobStore

TENANT = "default"
FOREVER_S = 1e6


class Queue:
    """Jobs, and workers that fetch them as procrastinate does."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.store = PostgresJobStore(database)
        self.leases = PostgresJobLeases(database)

    async def new(self, **fields: object) -> Job:
        return await self.store.enqueue(NewJob(TENANT, "kind", **fields))  # type: ignore[arg-type]

    async def worker(self) -> int:
        return int((await self._row("SELECT * FROM procrastinate_register_worker_v1()"))[0])

    async def fetch(self, worker: int) -> Lease | None:
        row = await self._row("SELECT args FROM procrastinate_fetch_job_v2(NULL, %s)", worker)
        return Lease(row[0]["tenant"], row[0]["job_id"], worker) if row[0] else None

    async def begin(self, worker: int | None = None) -> Lease:
        lease = await self.fetch(worker or await self.worker())
        assert lease is not None
        await self.leases.begin(lease)
        return lease

    async def silence(self, worker: int) -> None:
        earlier = "last_heartbeat = now() - interval '1 hour'"
        await self._row(f"UPDATE procrastinate_workers SET {earlier} WHERE id = %s RETURNING 1", worker)

    async def get(self, job_id: str) -> Job:
        found = await self.store.find_job(TENANT, job_id)
        assert found is not None
        return found

    async def _row(self, statement: str, *values: object) -> tuple[Any, ...]:
        async with self.database.unlocked() as connection:
            row = await (await connection.execute(statement, values)).fetchone()
        assert row is not None
        return row


async def nobody() -> None:
    """Begins nothing."""


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database)


async def test_a_job_is_kept_as_it_was_given(queue: Queue) -> None:
    job = await queue.new(space="s", payload={"a": 1})
    assert (job.state, job.kind, job.space, job.payload) == (JobState.QUEUED, "kind", "s", {"a": 1})
    assert job.start_time is None
    assert await queue.get(job.id) == job


async def test_another_tenant_does_not_see_it(queue: Queue) -> None:
    job = await queue.new()
    assert await queue.store.find_job("other", job.id) is None
    assert await queue.store.cancel("other", job.id) is None
    assert await queue.store.list_jobs(JobQuery("other")) == []


async def test_progress_and_result_are_kept(queue: Queue) -> None:
    job = await queue.new()
    lease = await queue.begin()
    assert not await queue.leases.report(lease, 3, 10)
    running = await queue.get(job.id)
    assert (running.state, running.done, running.total, running.attempts) == (JobState.RUNNING, 3, 10, 1)
    assert running.start_time is not None
    await queue.leases.settle(lease, JobOutcome(JobState.SUCCEEDED, {"n": 10}))
    ended = await queue.get(job.id)
    assert (ended.state, ended.result) == (JobState.SUCCEEDED, {"n": 10})
    assert ended.end_time is not None


async def test_a_job_that_failed_is_tried_again_later_and_not_for_ever(queue: Queue) -> None:
    job = await queue.new(most_attempts=2)
    lease = await queue.begin()
    await queue.leases.settle(lease, JobOutcome(JobState.QUEUED, error="no", wait_s=3_600))
    waiting = await queue.get(job.id)
    assert (waiting.state, waiting.error, waiting.end_time) == (JobState.QUEUED, "no", None)
    assert await queue.fetch(lease.worker) is None
    async with queue.database.unlocked() as connection:
        await connection.execute("UPDATE procrastinate_jobs SET scheduled_at = now()")
    await queue.leases.settle(await queue.begin(), JobOutcome(JobState.QUEUED, error="no again"))
    failed = await queue.get(job.id)
    assert (failed.state, failed.error, failed.attempts) == (JobState.FAILED, "no again", 2)


async def test_a_worker_that_stops_hands_its_job_back_within_the_same_attempt(queue: Queue) -> None:
    job = await queue.new(most_attempts=1)
    await queue.leases.settle(await queue.begin(), JobOutcome(JobState.QUEUED, counts=False))
    await queue.begin()
    assert (await queue.get(job.id)).attempts == 1


async def test_a_silent_workers_job_is_taken_over_with_its_checkpoint_and_it_writes_nothing_more(queue: Queue) -> None:
    job = await queue.new()
    lost = await queue.begin()
    await queue.leases.report(lost, 5, 10, {"at": 5})
    assert await queue.leases.take_over(FOREVER_S) == 0
    await queue.silence(lost.worker)
    assert await queue.leases.take_over(60) == 1
    for begin in (nobody, queue.begin):
        await begin()
        with pytest.raises(LeaseLost):
            await queue.leases.report(lost, 6, 10)
        with pytest.raises(LeaseLost):
            await queue.leases.settle(lost, JobOutcome(JobState.SUCCEEDED, {"by": "the dead"}))
        with pytest.raises(LeaseLost):
            await queue.leases.begin(lost)
    continued = await queue.get(job.id)
    assert (continued.checkpoint, continued.done, continued.attempts) == ({"at": 5}, 5, 2)


async def test_a_heartbeat_that_is_on_its_way_keeps_the_job(queue: Queue) -> None:
    await queue.new()
    lease = await queue.begin()
    await queue.silence(lease.worker)
    async with queue.database.unlocked() as connection:
        await connection.execute("UPDATE procrastinate_workers SET last_heartbeat = clock_timestamp()")
        assert await queue.leases.take_over(60) == 0
    assert await queue.leases.take_over(60) == 0
    await queue.leases.report(lease, 1, 2)


async def test_an_abandoned_job_is_taken_over_while_its_worker_lives(queue: Queue) -> None:
    job = await queue.new()
    lease = await queue.begin()
    await queue.leases.abandon(lease)
    assert await queue.leases.take_over(FOREVER_S) == 1
    again = await queue.begin(lease.worker)
    await queue.leases.settle(again, JobOutcome(JobState.SUCCEEDED))
    await queue.leases.abandon(lease)
    ended = await queue.get(job.id)
    assert (ended.state, ended.attempts) == (JobState.SUCCEEDED, 2)
    assert await queue.leases.take_over(FOREVER_S) == 0


async def test_a_job_that_kills_its_workers_fails_at_last(queue: Queue) -> None:
    job = await queue.new(most_attempts=1)
    await queue.silence((await queue.begin()).worker)
    await queue.leases.take_over(60)
    failed = await queue.get(job.id)
    assert (failed.state, failed.error) == (JobState.FAILED, "the worker was lost")
    assert failed.end_time is not None


async def test_what_waits_is_cancelled_at_once(queue: Queue) -> None:
    job = await queue.new()
    cancelled = await queue.store.cancel(TENANT, job.id)
    assert cancelled is not None
    assert (cancelled.state, cancelled.cancel_requested) == (JobState.CANCELLED, False)
    assert cancelled.end_time is not None
    assert await queue.fetch(await queue.worker()) is None


async def test_what_runs_is_told(queue: Queue) -> None:
    job = await queue.new()
    lease = await queue.begin()
    asked = await queue.store.cancel(TENANT, job.id)
    assert asked is not None
    assert (asked.state, asked.cancel_requested) == (JobState.RUNNING, True)
    assert await queue.leases.report(lease)
    assert await queue.leases.report(lease, 1, 2)
    await queue.leases.settle(lease, JobOutcome(JobState.CANCELLED))
    assert (await queue.get(job.id)).state is JobState.CANCELLED


async def test_what_was_to_be_cancelled_is_not_begun_again(queue: Queue) -> None:
    for lose in (False, True):
        job = await queue.new()
        lease = await queue.begin()
        await queue.store.cancel(TENANT, job.id)
        if lose:
            await queue.silence(lease.worker)
            await queue.leases.take_over(60)
        else:
            await queue.leases.settle(lease, JobOutcome(JobState.QUEUED, error="no"))
        cancelled = await queue.get(job.id)
        assert cancelled.state is JobState.CANCELLED
        assert cancelled.end_time is not None


async def test_what_has_ended_stays_as_it_is(queue: Queue) -> None:
    job = await queue.new()
    await queue.leases.settle(await queue.begin(), JobOutcome(JobState.SUCCEEDED))
    ended = await queue.get(job.id)
    assert await queue.store.cancel(TENANT, job.id) == ended


async def test_of_one_key_one_runs_and_one_waits(queue: Queue) -> None:
    first = await queue.new(key="a")
    assert (await queue.new(key="a")).id == first.id
    running = await queue.begin()
    second = await queue.new(key="a")
    assert second.id != first.id
    assert (await queue.new(key="a")).id == second.id
    assert await queue.fetch(await queue.worker()) is None
    await queue.leases.settle(running, JobOutcome(JobState.SUCCEEDED))
    assert (await queue.begin()).job_id == second.id


async def test_many_who_ask_at_once_get_one_job(queue: Queue) -> None:
    assert len({job.id for job in await asyncio.gather(*(queue.new(key="a") for _ in range(8)))}) == 1


async def test_two_schedulers_at_once_enqueue_once(queue: Queue) -> None:
    job = NewJob("", "tidy")
    made = await asyncio.gather(*(queue.store.schedule(job, 3_600) for _ in range(8)))
    assert len([one for one in made if one]) == 1
    assert await queue.store.schedule(job, 3_600) is None
    async with queue.database.unlocked() as connection:
        await connection.execute("UPDATE quipu_queue.schedules SET due_time = now()")
    assert await queue.store.schedule(job, 3_600) is not None


async def test_jobs_are_listed_newest_first_by_state_kind_and_space(queue: Queue) -> None:
    old = await queue.new(space="a")
    new = await queue.new(space="b")
    await queue.begin()

    async def ids(**query: object) -> list[str]:
        return [job.id for job in await queue.store.list_jobs(JobQuery(TENANT, **query))]  # type: ignore[arg-type]

    assert await ids() == [new.id, old.id]
    assert await ids(limit=1) == [new.id]
    assert await ids(after=new.id) == [old.id]
    assert await ids(states=[JobState.RUNNING]) == [old.id]
    assert await ids(space="b") == [new.id]
    assert await ids(kind="another") == []


async def test_jobs_that_ended_long_ago_are_forgotten(queue: Queue) -> None:
    ended, waiting = await queue.new(), await queue.new()
    await queue.leases.settle(await queue.begin(), JobOutcome(JobState.SUCCEEDED))
    assert await queue.store.trim_jobs(1) == 0
    async with queue.database.unlocked() as connection:
        await connection.execute("UPDATE jobs SET end_time = end_time - interval '2 days'")
    assert await queue.store.trim_jobs(1) == 1
    assert await queue.store.find_job(TENANT, ended.id) is None
    assert (await queue.get(waiting.id)).state is JobState.QUEUED
