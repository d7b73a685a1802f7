"""JobService on a real server."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio

from quipu.v1.job_pb2 import Job, JobState
from quipu.v1.job_service_pb2 import CancelJobRequest, GetJobRequest, ListJobsRequest, RunJobRequest, WatchJobRequest
from quipu_server.ports.jobs import JobOutcome, Lease, NewJob
from quipu_server.ports.jobs import JobState as State
from quipu_server.store.job_leases import PostgresJobLeases
from quipu_server.store.jobs import PostgresJobStore
from tests.integration.api import Api, refusal
from tests.postgres import connected

pytestmark = pytest.mark.asyncio(loop_scope="session")

KIND = "only-in-tests"
"""No worker of the servers takes it."""


class Hand:
    """Does by hand what a worker does."""

    def __init__(self, store: PostgresJobStore, leases: PostgresJobLeases, worker: int) -> None:
        self.store = store
        self.leases = leases
        self.worker = worker

    async def new(self, space: str = "", tenant: str = "default") -> str:
        job = await self.store.enqueue(NewJob(tenant, KIND, space.removeprefix("spaces/"), key=space))
        return f"jobs/{job.id}"


@pytest_asyncio.fixture(loop_scope="session")
async def hand(database_url: str, api: Api) -> AsyncIterator[Hand]:
    async with connected(database_url) as database:
        async with database.unlocked() as connection:
            row = await (await connection.execute("SELECT * FROM procrastinate_register_worker_v1()")).fetchone()
            assert row is not None
        yield Hand(PostgresJobStore(database), PostgresJobLeases(database), row[0])


async def take(hand: Hand, name: str) -> Lease:
    """Begin a job, whichever waits before it."""
    lease = Lease("default", name.removeprefix("jobs/"), hand.worker)
    async with hand.store._database.unlocked() as connection:
        await connection.execute(
            "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s WHERE args->>'job_id' = %s",
            (hand.worker, lease.job_id),
        )
    await hand.leases.begin(lease)
    return lease


async def test_a_job_is_shown(api: Api, hand: Hand, space: str) -> None:
    name = await hand.new(space)
    job = (await api.jobs.GetJob(GetJobRequest(name=name))).job
    assert (job.name, job.kind, job.space, job.state) == (name, KIND, space, JobState.JOB_STATE_QUEUED)
    assert not job.HasField("start_time")
    lease = await take(hand, name)
    await hand.leases.report(lease, 2, 4)
    await hand.leases.settle(lease, JobOutcome(State.SUCCEEDED, {"found": 3, "names": ["a"]}))
    job = (await api.jobs.GetJob(GetJobRequest(name=name))).job
    assert (job.state, job.done_steps, job.total_steps) == (JobState.JOB_STATE_SUCCEEDED, 2, 4)
    assert (dict(job.result)["found"], job.attempts) == (3, 1)
    assert job.create_time.ToNanoseconds() <= job.start_time.ToNanoseconds() <= job.end_time.ToNanoseconds()


async def test_a_job_is_watched_to_its_end(api: Api, hand: Hand, space: str) -> None:
    name = await hand.new(space)
    seen: list[Job] = []
    seen_at = [asyncio.Event() for _ in range(5)]

    async def watch() -> None:
        async for response in api.jobs.WatchJob(WatchJobRequest(name=name)):
            seen.append(response.job)
            seen_at[len(seen) - 1].set()

    watching = asyncio.create_task(watch())
    lease = None
    for step in range(4):
        await asyncio.wait_for(seen_at[step].wait(), 10)
        if step == 0:
            lease = await take(hand, name)
        elif lease and step < 3:
            await hand.leases.report(lease, step, 2)
        elif lease:
            await hand.leases.settle(lease, JobOutcome(State.FAILED, error="so it is"))
    await watching
    queued, running, *_, ended = [job.state for job in seen]
    assert (queued, running, ended) == (
        JobState.JOB_STATE_QUEUED,
        JobState.JOB_STATE_RUNNING,
        JobState.JOB_STATE_FAILED,
    )
    assert [job.done_steps for job in seen] == [0, 0, 1, 2, 2]
    assert seen[-1].error == "so it is"


async def test_jobs_are_listed_by_page(api: Api, hand: Hand, space: str) -> None:
    name = await hand.new(space)
    await take(hand, name)
    names = [await hand.new(space), name]
    request = ListJobsRequest(space=space, page_size=1)
    first = await api.jobs.ListJobs(request)
    request.page_token = first.next_page_token
    second = await api.jobs.ListJobs(request)
    assert [job.name for page in (first, second) for job in page.jobs] == names
    assert not second.next_page_token
    running = await api.jobs.ListJobs(ListJobsRequest(space=space, kind=KIND, states=[JobState.JOB_STATE_RUNNING]))
    assert [job.name for job in running.jobs] == [name]


async def test_a_job_is_cancelled(api: Api, hand: Hand, space: str) -> None:
    name = await hand.new(space)
    job = (await api.jobs.CancelJob(CancelJobRequest(name=name))).job
    assert (job.state, job.cancel_requested) == (JobState.JOB_STATE_CANCELLED, False)
    assert (await api.jobs.CancelJob(CancelJobRequest(name=name))).job == job


async def test_a_job_of_another_tenant_is_not_there(api: Api, hand: Hand, space: str) -> None:
    name = await hand.new(space, "another")
    for call in (
        api.jobs.GetJob(GetJobRequest(name=name)),
        api.jobs.CancelJob(CancelJobRequest(name=name)),
    ):
        refused = await refusal(call)
        assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND")
    assert not (await api.jobs.ListJobs(ListJobsRequest(space=space))).jobs


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (RunJobRequest(kind="tidy", space="spaces/a"), "kind"),
        (RunJobRequest(kind="", space="spaces/a"), "kind"),
    ],
)
async def test_only_some_kinds_can_be_started(api: Api, request_: RunJobRequest, field: str) -> None:
    refused = await refusal(api.jobs.RunJob(request_))
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, (field,))


async def test_bad_input_is_named(api: Api) -> None:
    for call, field in (
        (api.jobs.GetJob(GetJobRequest(name="job/1")), "name"),
        (api.jobs.ListJobs(ListJobsRequest(states=[77])), "states[0]"),  # type: ignore[list-item]
        (api.jobs.ListJobs(ListJobsRequest(space="a")), "space"),
        (api.jobs.ListJobs(ListJobsRequest(page_token="x")), "page_token"),
    ):
        assert (await refusal(call)).fields == (field,)
