"""JobService."""

from collections.abc import AsyncIterator, Callable

from quipu.v1 import job_service_pb2 as messages
from quipu.v1.job_service_pb2_grpc import JobServiceServicer
from quipu_server.access.domain import caller
from quipu_server.errors import NotFound
from quipu_server.job_control import JobControl
from quipu_server.ports.jobs import Job
from quipu_server.rpc import names
from quipu_server.rpc.caller import Context, caller_tenant
from quipu_server.rpc.convert.jobs import read_arguments, read_query, write_job
from quipu_server.rpc.pages import write_token


class JobService(JobServiceServicer):
    """Shows and steers jobs. goes_on: whether streams without an end may go on."""

    def __init__(self, jobs: JobControl, goes_on: Callable[[], bool]) -> None:
        self._jobs = jobs
        self._goes_on = goes_on

    async def RunJob(self, request: messages.RunJobRequest, context: Context) -> messages.RunJobResponse:
        space = names.read_space(request.space, "space") if request.space else ""
        job = await self._jobs.run(caller_tenant(context), request.kind, space, read_arguments(request.arguments))
        return messages.RunJobResponse(job=write_job(job))

    async def GetJob(self, request: messages.GetJobRequest, context: Context) -> messages.GetJobResponse:
        return messages.GetJobResponse(job=write_job(await self._find(request.name, context)))

    async def ListJobs(self, request: messages.ListJobsRequest, context: Context) -> messages.ListJobsResponse:
        query = read_query(request, caller())
        found = await self._jobs.list(query)
        page = found[: query.limit - 1]
        token = write_token(request, (page[-1].id,)) if len(found) > len(page) else ""
        return messages.ListJobsResponse(jobs=[write_job(job) for job in page], next_page_token=token)

    async def CancelJob(self, request: messages.CancelJobRequest, context: Context) -> messages.CancelJobResponse:
        found = await self._find(request.name, context)
        job = await self._jobs.cancel(caller_tenant(context), found.id)
        return messages.CancelJobResponse(job=write_job(job))

    async def WatchJob(
        self, request: messages.WatchJobRequest, context: Context
    ) -> AsyncIterator[messages.WatchJobResponse]:
        found = await self._find(request.name, context)
        async for job in self._jobs.watch(caller_tenant(context), found.id, self._goes_on):
            yield messages.WatchJobResponse(job=write_job(job))

    async def _find(self, name: str, context: Context) -> Job:
        """The job. Raises NotFound, also for one of a space that the key is not good for: it may tell what is there."""
        job_id = names.read_job(name, "name")
        job = await self._jobs.get(caller_tenant(context), job_id)
        if not caller().may_use(job.space):
            raise NotFound("job", f"jobs/{job_id}")
        return job
