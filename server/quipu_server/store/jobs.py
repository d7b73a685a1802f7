"""Jobs in PostgreSQL: what the API shows, over the queue of procrastinate.

A job is a row of `jobs` and one of the queue. Whoever changes both locks the row of `jobs` first.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from psycopg.types.json import Jsonb

from quipu_server.identifiers import new_memory_id
from quipu_server.ports.jobs import SYSTEM, Job, JobQuery, JobState, NewJob
from quipu_server.store.database import Database
from quipu_server.store.links import Connection

TASK = "job"
"""Name of the one task that the queue knows; its queues are named for the kinds."""

STATE = """
CASE q.status WHEN 'todo' THEN 1 WHEN 'doing' THEN 2 WHEN 'succeeded' THEN 3 WHEN 'failed' THEN 4 ELSE 5 END
"""
_JOBS = f"""
SELECT j.job_id, j.tenant, j.kind, j.space, {STATE}, j.payload, j.done, j.total, j.attempts, j.error, j.result,
       j.checkpoint, q.abort_requested AND q.status = 'doing', j.create_time, j.update_time, j.start_time, j.end_time
FROM jobs j JOIN procrastinate_jobs q ON q.id = j.queue_id
"""
FIND = f"{_JOBS} WHERE j.tenant = %(tenant)s AND j.job_id = %(job_id)s"
_LIST = f"""
{_JOBS} WHERE j.tenant = %(tenant)s AND (%(states)s::integer[] = '{{}}' OR {STATE} = ANY (%(states)s::integer[]))
AND (%(kind)s = '' OR j.kind = %(kind)s) AND (%(space)s = '' OR j.space = %(space)s)
AND (%(after)s = '' OR j.job_id < %(after)s)
AND EXISTS (SELECT FROM unnest(%(prefixes)s::text[]) AS p (prefix) WHERE starts_with(j.space, prefix))
ORDER BY j.job_id DESC LIMIT %(limit)s
"""
_EQUAL = "AND j.kind = %(kind)s AND j.payload = %(payload)s ORDER BY q.id"
_WAITING = f"{_JOBS} WHERE q.status = 'todo' AND q.lock = %(lock)s AND j.tenant = %(tenant)s {_EQUAL} LIMIT 1"
_DEFER = """
SELECT (procrastinate_defer_jobs_v1(ARRAY[
    ROW(%(kind)s, %(task)s, 0, %(lock)s, NULL, %(arguments)s, NULL)::procrastinate_job_to_defer_v1
]))[1]
"""
_INSERT = """
INSERT INTO jobs (tenant, job_id, queue_id, kind, space, payload, most_attempts)
VALUES (%(tenant)s, %(job_id)s, %(queue_id)s, %(kind)s, %(space)s, %(payload)s, %(most_attempts)s)
"""
_TOUCH = """
UPDATE jobs SET update_time = clock_timestamp() WHERE tenant = %(tenant)s AND job_id = %(job_id)s AND end_time IS NULL
RETURNING queue_id
"""
_CANCEL = "SELECT procrastinate_cancel_job_v1(%(queue_id)s, TRUE, FALSE)"
_END_CANCELLED = """
UPDATE jobs j SET end_time = clock_timestamp() FROM procrastinate_jobs q
WHERE j.tenant = %(tenant)s AND j.job_id = %(job_id)s AND q.id = j.queue_id AND q.status = 'cancelled'
"""
_ADD_SCHEDULE = """
INSERT INTO quipu_queue.schedules (kind, due_time) VALUES (%(kind)s, clock_timestamp()) ON CONFLICT DO NOTHING
"""
_IS_DUE = "SELECT FROM quipu_queue.schedules WHERE kind = %(kind)s AND due_time <= clock_timestamp()"
_TAKE_TURN = """
UPDATE quipu_queue.schedules SET due_time = clock_timestamp() + make_interval(secs => %(every_s)s)
WHERE kind = %(kind)s AND due_time <= clock_timestamp()
"""
_TRIM = """
WITH old AS (
    DELETE FROM jobs WHERE end_time < clock_timestamp() - make_interval(secs => 86400 * %(days)s) RETURNING queue_id
)
DELETE FROM procrastinate_jobs WHERE id IN (SELECT queue_id FROM old)
"""


class PostgresJobStore:
    """A `JobStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enqueue(self, job: NewJob) -> Job:
        async with within(self._database, job.tenant) as connection:
            return await _enqueue(connection, job)

    async def find_job(self, tenant: str, job_id: str) -> Job | None:
        async with within(self._database, tenant) as connection:
            return await fetch_job(connection, FIND, {"tenant": tenant, "job_id": job_id})

    async def list_jobs(self, query: JobQuery) -> Sequence[Job]:
        parameters = {
            "tenant": query.tenant,
            "states": [int(state) for state in query.states],
            "kind": query.kind,
            "space": query.space,
            "after": query.after,
            "limit": query.limit,
            "prefixes": list(query.prefixes) or [""],
        }
        async with within(self._database, query.tenant) as connection:
            rows = await connection.execute(_LIST, parameters, prepare=False)
            return [_to_job(row) for row in await rows.fetchall()]

    async def cancel(self, tenant: str, job_id: str) -> Job | None:
        key = {"tenant": tenant, "job_id": job_id}
        async with within(self._database, tenant) as connection:
            if row := await (await connection.execute(_TOUCH, key)).fetchone():
                await connection.execute(_CANCEL, {"queue_id": row[0]})
                await connection.execute(_END_CANCELLED, key)
            return await fetch_job(connection, FIND, key)

    async def schedule(self, job: NewJob, every_s: float) -> Job | None:
        when = {"kind": job.kind, "every_s": every_s}
        async with self._database.unlocked() as connection:
            await connection.execute(_ADD_SCHEDULE, when)
            # Asked first, so that servers need not wait for each other's locks to learn that nothing is due.
            if not (await connection.execute(_IS_DUE, when)).rowcount:
                return None
            if not (await connection.execute(_TAKE_TURN, when)).rowcount:
                return None
            return await _enqueue(connection, job)

    async def trim_jobs(self, older_than_days: float) -> int:
        async with self._database.unlocked() as connection:
            return (await connection.execute(_TRIM, {"days": older_than_days})).rowcount


def within(database: Database, tenant: str) -> AbstractAsyncContextManager[Connection]:
    """A transaction of a tenant; jobs that are nobody's are found among those of all."""
    return database.unlocked() if tenant == SYSTEM else database.transaction(tenant)


async def _enqueue(connection: Connection, job: NewJob) -> Job:
    lock = f"{job.tenant}/{job.group or job.kind}/{job.key}" if job.key else None
    told = {"tenant": job.tenant, "kind": job.kind, "payload": Jsonb(job.payload)}
    if lock:
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (lock,))
        if waiting := await fetch_job(connection, _WAITING, told | {"lock": lock}):
            return waiting
    key = {"tenant": job.tenant, "job_id": new_memory_id()}
    ticket = {"kind": job.kind, "task": TASK, "lock": lock, "arguments": Jsonb(key)}
    row = await (await connection.execute(_DEFER, ticket)).fetchone()
    assert row is not None
    values = {"queue_id": row[0], "space": job.space, "most_attempts": job.most_attempts}
    await connection.execute(_INSERT, key | told | values)
    made = await fetch_job(connection, FIND, key)
    assert made is not None
    return made


async def fetch_job(connection: Connection, statement: str, parameters: dict[str, Any]) -> Job | None:
    row = await (await connection.execute(statement, parameters, prepare=False)).fetchone()
    return None if row is None else _to_job(row)


def _to_job(row: Sequence[Any]) -> Job:
    job_id, tenant, kind, space, state, *rest = row
    return Job(job_id, tenant, kind, space, JobState(state), *rest)
