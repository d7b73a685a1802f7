"""One attempt at a job."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from quipu_server.errors import FailedPrecondition, InvalidArgument, NotFound, OutOfRange
from quipu_server.ports.jobs import (
    Job,
    JobCancelled,
    JobKind,
    JobLeases,
    JobOutcome,
    JobState,
    Json,
    Lease,
    LeaseLost,
)

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 300.0
MOST_ERROR_CHARACTERS = 2_000

FOR_GOOD = (InvalidArgument, NotFound, FailedPrecondition, OutOfRange)
"""Errors that come again when a job is tried again."""

log = structlog.get_logger("quipu.jobs")


class Attempt:
    """A `JobContext`."""

    def __init__(self, leases: JobLeases, lease: Lease, job: Job) -> None:
        self._leases = leases
        self._lease = lease
        self._job = job

    @property
    def job(self) -> Job:
        return self._job

    async def progress(self, done: int, total: int) -> None:
        await self._report(done, total)

    async def checkpoint(self, state: Json, done: int | None = None, total: int | None = None) -> None:
        await self._report(done, total, state)

    async def check_cancelled(self) -> None:
        await self._report()

    async def _report(self, done: int | None = None, total: int | None = None, state: Json | None = None) -> None:
        if await self._leases.report(self._lease, done, total, state):
            raise JobCancelled


async def attempt(
    leases: JobLeases, kind: JobKind[Any], lease: Lease, was_asked_to_end: Callable[[], bool]
) -> JobState | None:
    """Run a job, store how it ended, and return that; None, and nothing is stored, for a worker that lost its lease.

    was_asked_to_end: tells, when the task is cancelled, whether it is the job that shall end, or the worker.
    """
    try:
        job = await leases.begin(lease)
        log.info("job_begun", job=job.id, kind=job.kind, attempt=job.attempts)
        outcome = await _run(Attempt(leases, lease, job), kind, was_asked_to_end)
        await leases.settle(lease, outcome)
        log.info("job_ended", job=job.id, kind=job.kind, state=outcome.state.name, error=outcome.error)
    except LeaseLost:
        log.warning("job_lost", job=lease.job_id, kind=kind.name)
        return None
    return outcome.state


async def _run(context: Attempt, kind: JobKind[Any], was_asked_to_end: Callable[[], bool]) -> JobOutcome:
    try:
        result = await kind.run(context, kind.payload(**context.job.payload))
    except LeaseLost:
        raise
    except JobCancelled:
        return JobOutcome(JobState.CANCELLED)
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) is not None:
            task.uncancel()
        return JobOutcome(JobState.CANCELLED) if was_asked_to_end() else JobOutcome(JobState.QUEUED, counts=False)
    except FOR_GOOD as error:
        return JobOutcome(JobState.FAILED, error=_text(error))
    except Exception as error:
        log.warning("job_failed", job=context.job.id, kind=kind.name, exc_info=True)
        return JobOutcome(JobState.QUEUED, error=_text(error), wait_s=wait_s(context.job.attempts))
    return JobOutcome(JobState.SUCCEEDED, result=result or {})


def wait_s(attempts: int) -> float:
    """How long to wait after so many attempts that failed: twice as long each time."""
    return min(FIRST_WAIT_S * 2.0 ** (attempts - 1), LONGEST_WAIT_S)


def _text(error: Exception) -> str:
    """What an error says; PostgreSQL keeps no NUL."""
    return (str(error) or type(error).__name__).replace("\0", "")[:MOST_ERROR_CHARACTERS]
