"""Calls that look after work in the background."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

from google.protobuf.struct_pb2 import Struct

from quipu.dual import call, results
from quipu.names import job_name, space_name
from quipu.operations import Operations
from quipu.results import Results
from quipu.v1.job_pb2 import Job, JobState
from quipu.v1.job_service_pb2 import CancelJobRequest, GetJobRequest, ListJobsRequest, RunJobRequest, WatchJobRequest

JobStateName: TypeAlias = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class JobOperations(Operations):
    """Everything about jobs. A job is given as its id, its name `jobs/{job}`, or itself."""

    @call
    async def run_job(
        self,
        kind: str,
        space: str | None = None,
        *,
        arguments: Mapping[str, Any] | None = None,
        timeout: float | None = None,
    ) -> Job:
        """Start a job on a space, or return the one that waits to do the same. Raises InvalidArgument, NotFound."""
        return await self._run(kind, space, arguments or {}, timeout)

    @call
    async def change_model(self, model: str, space: str | None = None, *, timeout: float | None = None) -> Job:
        """Start the job that gives a space another embedding model; searches use the old one until it is done.

        Raises NotFound for a space that is not there; for a model that is not, the job fails.
        """
        return await self._run("change-model", space, {"model": model}, timeout)

    @call
    async def revert_model(self, space: str | None = None, *, timeout: float | None = None) -> Job:
        """Start the job that gives a space the model it had before. Raises NotFound."""
        return await self._run("revert-model", space, {}, timeout)

    @call
    async def drop_old_vectors(self, space: str | None = None, *, timeout: float | None = None) -> Job:
        """Start the job that removes the vectors of models that a space has not; then there is no way back.

        Raises NotFound.
        """
        return await self._run("drop-old-vectors", space, {}, timeout)

    async def _run(self, kind: str, space: str | None, arguments: Mapping[str, Any], timeout: float | None) -> Job:
        told = Struct()
        told.update(dict(arguments))
        request = RunJobRequest(kind=kind, space=self._parent(space), arguments=told)
        return (await self._wire.unary(self._wire.jobs.RunJob, request, timeout)).job

    @call
    async def get_job(self, job: str | Job, *, timeout: float | None = None) -> Job:
        """Return a job as it is now. Raises NotFound."""
        request = GetJobRequest(name=job_name(job))
        return (await self._wire.unary(self._wire.jobs.GetJob, request, timeout)).job

    @results
    def jobs(
        self,
        *,
        states: Iterable[JobStateName] = (),
        kind: str = "",
        space: str | None = None,
        page_size: int = 100,
        timeout: float | None = None,
    ) -> Results[Job]:
        """List jobs, newest first; of all spaces without one. `timeout` counts for each page."""
        request = ListJobsRequest(
            page_size=page_size,
            states=[JobState.Value(f"JOB_STATE_{state.upper()}") for state in states],
            kind=kind,
            space="" if space is None else space_name(space),
        )
        return Results(self._pages(self._wire.jobs.ListJobs, request, timeout), lambda page: page.jobs)

    @call
    async def cancel_job(self, job: str | Job, *, timeout: float | None = None) -> Job:
        """Ask for the end of a job and return it as it is then: one that runs ends a little later. Raises NotFound."""
        request = CancelJobRequest(name=job_name(job))
        return (await self._wire.unary(self._wire.jobs.CancelJob, request, timeout)).job

    @results
    def watch_job(self, job: str | Job, *, timeout: float | None = None) -> Results[Job]:
        """Give a job as it is, and again after each change until it has ended. `timeout` is for the whole."""
        request = WatchJobRequest(name=job_name(job))
        return Results(self._wire.stream(self._wire.jobs.WatchJob, request, timeout), lambda response: [response.job])


def job_state(job: Job) -> JobStateName:
    """The state of a job in plain words."""
    name: JobStateName = JobState.Name(job.state).removeprefix("JOB_STATE_").lower()  # type: ignore[assignment]
    return name
