"""Which worker has which job, in PostgreSQL.

A lease is the id of a worker of procrastinate, which is never given again, kept in the row of the job. Every statement
of a worker asks for it, so that one that was taken for dead writes nothing more.
"""

from typing import Any

from psycopg.types.json import Jsonb

from quipu_server.ports.jobs import Job, JobOutcome, JobState, Json, Lease, LeaseLost
from quipu_server.store.database import Database
from quipu_server.store.jobs import FIND, fetch_job, within

_BEGIN = """
UPDATE jobs j SET lease = %(worker)s, attempts = j.attempts + 1, update_time = clock_timestamp(),
    start_time = coalesce(start_time, clock_timestamp())
FROM procrastinate_jobs q
WHERE j.tenant = %(tenant)s AND j.job_id = %(job_id)s AND q.id = j.queue_id AND q.status = 'doing'
AND q.worker_id = %(worker)s
"""
_OURS = "j.tenant = %(tenant)s AND j.job_id = %(job_id)s AND j.lease = %(worker)s"
_REPORT = f"""
UPDATE jobs j SET done = coalesce(%(done)s, done), total = coalesce(%(total)s, total),
    checkpoint = coalesce(%(checkpoint)s, checkpoint), update_time = clock_timestamp()
WHERE {_OURS}
RETURNING (SELECT q.abort_requested FROM procrastinate_jobs q WHERE q.id = j.queue_id)
"""
_IS_CANCELLED = f"""
SELECT q.abort_requested FROM jobs j JOIN procrastinate_jobs q ON q.id = j.queue_id WHERE {_OURS}
"""
_LET_GO = f"""
UPDATE jobs j SET lease = NULL, error = CASE WHEN %(error)s <> '' OR %(ends)s THEN %(error)s ELSE error END,
    result = %(result)s, attempts = attempts - %(uncounted)s, update_time = clock_timestamp()
WHERE {_OURS}
RETURNING queue_id, attempts >= most_attempts
"""
_END = """
UPDATE procrastinate_jobs SET status = %(status)s::procrastinate_job_status, abort_requested = FALSE, worker_id = NULL,
    attempts = attempts + 1
WHERE id = %(queue_id)s AND status = 'doing' AND worker_id = %(worker)s
"""
_AGAIN = """
UPDATE procrastinate_jobs SET worker_id = NULL, attempts = attempts + 1, abort_requested = FALSE,
    status = CASE WHEN abort_requested THEN 'aborted' ELSE 'todo' END::procrastinate_job_status,
    scheduled_at = clock_timestamp() + make_interval(secs => %(wait_s)s)
WHERE id = %(queue_id)s AND status = 'doing' AND worker_id = %(worker)s
"""
_SET_END_TIME = """
UPDATE jobs j SET end_time = clock_timestamp() FROM procrastinate_jobs q
WHERE q.id = j.queue_id AND q.id = ANY (%(queue_ids)s) AND q.status NOT IN ('todo', 'doing')
"""
_FORGET_WORKERS = """
DELETE FROM procrastinate_workers WHERE id IN (
    SELECT id FROM procrastinate_workers
    WHERE last_heartbeat < clock_timestamp() - make_interval(secs => %(lease_s)s) FOR UPDATE SKIP LOCKED
)
"""
_ABANDONED = "q.status = 'doing' AND q.worker_id IS NULL"
"""The key of `worker_id` empties it when the worker is forgotten, which alone decides that its jobs are free."""
_FREE = f"""
WITH abandoned AS (
    SELECT j.tenant, j.job_id, j.queue_id FROM jobs j JOIN procrastinate_jobs q ON q.id = j.queue_id
    WHERE {_ABANDONED} FOR UPDATE OF j SKIP LOCKED
)
UPDATE jobs j SET lease = NULL, update_time = clock_timestamp(), error = 'the worker was lost'
FROM abandoned a WHERE j.tenant = a.tenant AND j.job_id = a.job_id
RETURNING j.queue_id, j.attempts >= j.most_attempts
"""
_TAKE_OVER = f"""
UPDATE procrastinate_jobs q SET worker_id = NULL, attempts = attempts + 1, abort_requested = FALSE, scheduled_at = NULL,
    status = CASE WHEN abort_requested THEN 'aborted' WHEN id = ANY (%(spent)s) THEN 'failed' ELSE 'todo' END
        ::procrastinate_job_status
WHERE id = ANY (%(queue_ids)s) AND {_ABANDONED}
"""
_ABANDON = """
UPDATE procrastinate_jobs q SET worker_id = NULL FROM jobs j
WHERE j.tenant = %(tenant)s AND j.job_id = %(job_id)s AND q.id = j.queue_id AND q.status = 'doing'
AND q.worker_id = %(worker)s
"""
_STATUSES = {JobState.SUCCEEDED: "succeeded", JobState.FAILED: "failed", JobState.CANCELLED: "aborted"}


class PostgresJobLeases:
    """A `JobLeases`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, lease: Lease) -> Job:
        async with within(self._database, lease.tenant) as connection:
            if not (await connection.execute(_BEGIN, _key(lease))).rowcount:
                raise LeaseLost
            job = await fetch_job(connection, FIND, _key(lease))
            assert job is not None
            return job

    async def report(
        self, lease: Lease, done: int | None = None, total: int | None = None, checkpoint: Json | None = None
    ) -> bool:
        statement = _IS_CANCELLED if (done, total, checkpoint) == (None, None, None) else _REPORT
        values = {"done": done, "total": total, "checkpoint": None if checkpoint is None else Jsonb(checkpoint)}
        async with within(self._database, lease.tenant) as connection:
            row = await (await connection.execute(statement, _key(lease) | values, prepare=False)).fetchone()
        if row is None:
            raise LeaseLost
        return bool(row[0])

    async def settle(self, lease: Lease, outcome: JobOutcome) -> None:
        values = {
            "error": outcome.error,
            "result": Jsonb(outcome.result),
            "ends": outcome.state.is_end,
            "uncounted": 0 if outcome.counts else 1,
        }
        async with within(self._database, lease.tenant) as connection:
            row = await (await connection.execute(_LET_GO, _key(lease) | values)).fetchone()
            if row is None:
                raise LeaseLost
            queue_id, is_spent = row
            state = JobState.FAILED if outcome.state is JobState.QUEUED and is_spent else outcome.state
            ending = {"queue_id": queue_id, "status": _STATUSES.get(state), "wait_s": outcome.wait_s}
            statement = _AGAIN if state is JobState.QUEUED else _END
            if not (await connection.execute(statement, _key(lease) | ending)).rowcount:
                raise LeaseLost
            await connection.execute(_SET_END_TIME, {"queue_ids": [queue_id]})

    async def abandon(self, lease: Lease) -> None:
        async with within(self._database, lease.tenant) as connection:
            await connection.execute(_ABANDON, _key(lease))

    async def take_over(self, lease_s: float) -> int:
        async with self._database.unlocked() as connection:
            await connection.execute(_FORGET_WORKERS, {"lease_s": lease_s})
            freed = await (await connection.execute(_FREE)).fetchall()
            queue_ids = [queue_id for queue_id, _ in freed]
            spent = [queue_id for queue_id, is_spent in freed if is_spent]
            taken = await connection.execute(_TAKE_OVER, {"queue_ids": queue_ids, "spent": spent})
            await connection.execute(_SET_END_TIME, {"queue_ids": queue_ids})
            return taken.rowcount


def _key(lease: Lease) -> dict[str, Any]:
    return {"tenant": lease.tenant, "job_id": lease.job_id, "worker": lease.worker}
