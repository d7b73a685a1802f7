"""The use case of looking at jobs, starting and ending them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import fields
from typing import Any

from quipu_server.errors import InvalidArgument, NotFound, Unavailable
from quipu_server.ports.jobs import Job, JobKind, JobKinds, JobQuery, JobStore, Json, NewJob
from quipu_server.spaces import Spaces

TICK_S = 0.1
"""How often a job that somebody watches is looked at."""


class JobControl:
    """Shows and steers jobs."""

    def __init__(self, store: JobStore, kinds: JobKinds, spaces: Spaces) -> None:
        self._store = store
        self._kinds = kinds
        self._spaces = spaces

    async def run(self, tenant: str, kind: str, space: str, arguments: Json) -> Job:
        """Start a job, or give the one that waits to do the same. Raises InvalidArgument, NotFound."""
        found = self._kinds.find(kind)
        if found is None or not found.by_hand:
            raise InvalidArgument("kind", f"is not one that can be started; there are: {', '.join(self._by_hand())}")
        if not space:
            raise InvalidArgument("space", "must name the space to work on")
        await self._spaces.find(tenant, space)
        check_arguments(found, arguments)
        payload = {"space": space, **arguments}
        return await self._store.enqueue(
            NewJob(tenant, kind, space, payload, space, most_attempts=found.most_attempts, group=found.group)
        )

    async def get(self, tenant: str, job_id: str) -> Job:
        """The job. Raises NotFound."""
        if (job := await self._store.find_job(tenant, job_id)) is None:
            raise NotFound("job", f"jobs/{job_id}")
        return job

    async def list(self, query: JobQuery) -> Sequence[Job]:
        """One page, newest first."""
        return await self._store.list_jobs(query)

    async def cancel(self, tenant: str, job_id: str) -> Job:
        """Ask for the end of a job; the job as it is then. Raises NotFound."""
        if (job := await self._store.cancel(tenant, job_id)) is None:
            raise NotFound("job", f"jobs/{job_id}")
        return job

    async def watch(self, tenant: str, job_id: str, goes_on: Callable[[], bool]) -> AsyncIterator[Job]:
        """The job now, and after each change until its end.

        goes_on: asked again and again; once it says no, Unavailable is raised. Raises NotFound.
        """
        seen = None
        while goes_on():
            job = await self.get(tenant, job_id)
            if job != seen:
                yield job
            if job.state.is_end:
                return
            seen = job
            await asyncio.sleep(TICK_S)
        raise Unavailable("the server is stopping; watch the job on another one")

    def _by_hand(self) -> Sequence[str]:
        return sorted(name for name in self._kinds.names if (kind := self._kinds.find(name)) and kind.by_hand)


def check_arguments(kind: JobKind[Any], arguments: Json) -> None:
    """Raise InvalidArgument for what the payload of the kind does not have, or has as another type."""
    known = {field.name: field.type for field in fields(kind.payload) if field.name != "space"}
    for name, value in arguments.items():
        if name not in known:
            raise InvalidArgument(f"arguments.{name}", f"is not known; {kind.name} takes: {', '.join(known) or 'none'}")
        if not isinstance(value, _types(known[name])):
            raise InvalidArgument(f"arguments.{name}", f"must be {known[name]}")


def _types(annotation: Any) -> tuple[type, ...]:
    """What a value must be an instance of; numbers of JSON are floats."""
    return (int, float) if annotation in (int, float) else (annotation,)
