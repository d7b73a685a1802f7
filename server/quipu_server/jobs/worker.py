"""A worker: takes jobs from the queue, schedules those that are due, takes over those of workers that died."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from typing import Any, Protocol

import structlog
from procrastinate import JobContext
from procrastinate.exceptions import ProcrastinateException
from procrastinate.job_context import AbortReason

from quipu_server.errors import StoreUnavailable
from quipu_server.jobs.queue import open_queue
from quipu_server.jobs.running import attempt
from quipu_server.measuring import Sample
from quipu_server.measuring.metrics import JOBS, JOBS_RUNNING
from quipu_server.ports.jobs import SYSTEM, JobKinds, JobLeases, JobState, JobStore, Lease, NewJob

TASK = "job"
POLL_S = 1.0
"""How soon a job is found that no notification told of: one to be tried again, or taken over."""
STOP_S = 1.0
"""Time for a running job to end by itself when the worker stops; then it is handed back and goes on elsewhere."""
PAUSE_S = 1.0
"""Before a worker whose database went away begins anew."""

LOST = "lost"
STATES = (*(state.name.lower() for state in JobState if state is not JobState.RUNNING), LOST)
"""What can become of a job that was begun."""

log = structlog.get_logger("quipu.jobs")


class Connections(Protocol):
    """The database, which may go away and come back."""

    async def pool(self) -> Any:
        """Its pool of connections, once there is one."""


class Worker:
    """Does jobs of the given kinds, so many at once."""

    def __init__(
        self,
        connections: Connections,
        store: JobStore,
        leases: JobLeases,
        kinds: JobKinds,
        concurrency: int,
        lease_s: float,
    ) -> None:
        self._connections = connections
        self._store = store
        self._leases = leases
        self._kinds = kinds
        self._concurrency = concurrency
        self._lease_s = lease_s
        self._running: Counter[str] = Counter()
        self._ended: Counter[tuple[str, str]] = Counter()
        self._left: set[Lease] = set()
        """Of jobs that ended here without being settled: nobody else takes them over while this worker lives."""

    def samples(self) -> Iterable[Sample]:
        """What runs, and what came of it."""
        for kind in self._kinds.names:
            yield JOBS_RUNNING.of(self._running[kind], kind)
            yield from (JOBS.of(self._ended[kind, state], kind, state) for state in STATES)

    async def run(self) -> None:
        """Work until cancelled; running jobs are handed back then."""
        keeping = asyncio.create_task(self._keep())
        try:
            while True:
                try:
                    await self._work(await self._connections.pool())
                except ProcrastinateException as error:
                    log.warning("worker_stopped", reason=str(error.__cause__ or error))
                await asyncio.sleep(PAUSE_S)
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _work(self, pool: Any) -> None:
        """Take jobs until the lease or the database is lost."""
        queue, manager = await open_queue(pool)
        queue.task(name=TASK, pass_context=True)(self._take)
        working = asyncio.create_task(
            queue.run_worker_async(
                queues=self._kinds.names,
                concurrency=self._concurrency,
                fetch_job_polling_interval=POLL_S,
                abort_job_polling_interval=POLL_S,
                shutdown_graceful_timeout=STOP_S,
                update_heartbeat_interval=self._lease_s / 3,
                stalled_worker_timeout=self._lease_s,
                install_signal_handlers=False,
            )
        )
        await _until_either(working, asyncio.create_task(manager.lost.wait()))

    async def _take(self, context: JobContext, tenant: str, job_id: str) -> None:
        kind, worker = self._kinds.find(context.job.queue), context.job.worker_id
        assert kind is not None, "only queues of known kinds are listened to"
        assert worker is not None, "a job that was fetched has a worker"
        lease, state = Lease(tenant, job_id, worker), None
        self._running[kind.name] += 1
        try:
            state = await attempt(self._leases, kind, lease, lambda: context.abort_reason() is AbortReason.USER_REQUEST)
        except StoreUnavailable as error:
            log.warning("job_left", job=job_id, kind=kind.name, reason=str(error))
        finally:
            if state is None:
                self._left.add(lease)
            self._running[kind.name] -= 1
            self._ended[kind.name, state.name.lower() if state else LOST] += 1

    async def _keep(self) -> None:
        """Enqueue what is due, and take over what was left, again and again."""
        async for _ in _ticks(min(POLL_S, self._lease_s / 3)):
            try:
                for kind in self._kinds.scheduled:
                    job = NewJob(SYSTEM, kind.name, key=kind.name, most_attempts=kind.most_attempts)
                    await self._store.schedule(job, kind.every_s)
                for lease in list(self._left):
                    await self._leases.abandon(lease)
                    self._left.discard(lease)
                if count := await self._leases.take_over(self._lease_s):
                    log.warning("jobs_taken_over", count=count)
            except StoreUnavailable as error:
                log.warning("schedule_waits", reason=str(error))
            except Exception:
                log.exception("schedule_failed")  # without it nobody takes jobs over


async def _until_either(working: asyncio.Task[None], ending: asyncio.Task[Any]) -> None:
    """Wait for the end of the first, or stop it at the end of the other. Raises what the first raises by itself."""
    try:
        await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        working.cancel()
        ending.cancel()
        # An error of the end must not take the place of a cancellation.
        await asyncio.gather(working, ending, return_exceptions=True)


async def _ticks(every_s: float) -> AsyncIterator[None]:
    while True:
        yield
        await asyncio.sleep(every_s)
