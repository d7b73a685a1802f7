"""The task queue, procrastinate, with what it lacks: a worker that lost its lease may not write."""

import asyncio
import logging
from typing import Any

import procrastinate
import structlog
from procrastinate.exceptions import ConnectorException, NoResult
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

# It logs in words of its own what the worker says in ours.
logging.getLogger("procrastinate").addHandler(logging.NullHandler())
logging.getLogger("procrastinate").propagate = False

_HEARTBEAT = """
UPDATE procrastinate_workers SET last_heartbeat = clock_timestamp() WHERE id = %(worker_id)s RETURNING id
"""


log = structlog.get_logger("quipu.jobs")


class LeasedJobManager(JobManager):
    """Leaves the end of jobs to the `JobStore`, which writes it with the result, and only for who holds the lease."""

    def __init__(self, connector: procrastinate.PsycopgConnector) -> None:
        super().__init__(connector)
        self.lost = asyncio.Event()
        """Set when others took the worker for dead."""

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Do nothing: the job was settled."""

    async def update_heartbeat(self, worker_id: int) -> None:
        """Never raise: it would end the heartbeats, while procrastinate's worker goes on."""
        try:
            await self.connector.execute_query_one_async(_HEARTBEAT, worker_id=worker_id)
        except NoResult:
            self.lost.set()
        except ConnectorException as error:
            log.warning("heartbeat_failed", reason=str(error.__cause__ or error))


async def open_queue(pool: Any) -> tuple[procrastinate.App, LeasedJobManager]:
    """The queue and its manager, over a pool of connections of psycopg that have its schema in their search path."""
    connector = procrastinate.PsycopgConnector()
    await connector.open_async(pool)
    app = procrastinate.App(connector=connector)
    manager = app.job_manager = LeasedJobManager(connector)
    return app, manager
