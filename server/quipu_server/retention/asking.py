"""Asking for runs: the job, and whoever waits for it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass

from quipu_server.errors import RetentionEnded
from quipu_server.job_control import JobControl
from quipu_server.ports.jobs import Job, JobState, JobStore, NewJob
from quipu_server.ports.retention import ALL_SPACES
from quipu_server.spaces import Spaces

KIND = "retention"


@dataclass(frozen=True, slots=True)
class ApplyPolicies:
    """The payload: name of a space, or ALL_SPACES. dry_run: decides, and changes nothing."""

    space: str
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks for runs."""

    jobs: JobStore
    control: JobControl
    spaces: Spaces

    async def run(self, tenant: str, space: str, goes_on: Callable[[], bool], *, dry_run: bool) -> AsyncIterator[Job]:
        """The job of a run now, after each change, and at its end. Raises NotFound, RetentionEnded, Unavailable."""
        if space != ALL_SPACES:
            await self.spaces.find(tenant, space)
        asked = await self.jobs.enqueue(new_run(tenant, space, dry_run=dry_run))
        async for job in self.control.watch(tenant, asked.id, goes_on):
            if job.state in (JobState.FAILED, JobState.CANCELLED):
                raise RetentionEnded(f"jobs/{job.id}", job.state.name.lower(), job.error)
            yield job


def new_run(tenant: str, space: str, *, dry_run: bool = False) -> NewJob:
    """The job of a run; all those of a tenant have one key, so that one runs at a time."""
    named = "" if space == ALL_SPACES else space
    return NewJob(tenant, KIND, named, asdict(ApplyPolicies(space, dry_run)), key=ALL_SPACES)
