"""The task queue, procrastinate, with what it lacks: a worker that lost its lease may not write."""

import logging
from typing import Any

import procrastinate
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

# It logs in words of its own what the worker says in ours.
logging.getLogger("procrastinate").addHandler(logging.NullHandler())
logging.getLogger("procrastinate").propagate = False

_HEARTBEAT = """
UPDATE procrastinate_workers SET last_heartbeat = clock_timestamp() WHERE id = %(worker_id)s RETURNING id
"""


class LeasedJobManager(JobManager):
    """Leaves the end of jobs to the `JobStore`, which writes it with the result, and only for who holds the lease."""

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Do nothing: the job was settled."""

    async def update_heartbeat(self, worker_id: int) -> None:
        """Raise NoResult, which stops the worker, when others took it for dead; procrastinate's own goes on."""
        await self.connector.execute_query_one_async(_HEARTBEAT, worker_id=worker_id)


async def open_queue(pool: Any) -> procrastinate.App:
    """The queue over a pool of connections of psycopg, which must have its schema in their search path."""
    connector = procrastinate.PsycopgConnector()
    await connector.open_async(pool)
    app = procrastinate.App(connector=connector)
    app.job_manager = LeasedJobManager(connector)
    return app
