"""Jobs, the queue that they wait in, and texts that wait for one."""

from importlib.resources import files

from alembic import op

revision = "0002"
down_revision = "0001"


SCHEMA = """
-- When each kind that runs by itself is due.
CREATE TABLE quipu_queue.schedules (
    kind text COLLATE "C" NOT NULL PRIMARY KEY,
    due_time timestamptz NOT NULL
);

-- What the queue does not know of a job. Its state is that of its row in the queue: procrastinate_jobs, `queue_id`.
-- `lease` is the worker whose writes count; whoever takes the job over sets it anew.
CREATE TABLE quipu.jobs (
    tenant text COLLATE "C" NOT NULL,
    job_id text COLLATE "C" NOT NULL,
    queue_id bigint NOT NULL,
    lease bigint,
    done bigint NOT NULL DEFAULT 0,
    total bigint NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    most_attempts integer NOT NULL,
    create_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    update_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    start_time timestamptz,
    end_time timestamptz,
    kind text COLLATE "C" NOT NULL,
    space text COLLATE "C" NOT NULL,
    error text COLLATE "C" NOT NULL DEFAULT '',
    payload jsonb NOT NULL,
    result jsonb NOT NULL DEFAULT '{}',
    checkpoint jsonb,
    PRIMARY KEY (tenant, job_id)
);
CREATE INDEX jobs_queue ON quipu.jobs (queue_id);
CREATE INDEX jobs_end_time ON quipu.jobs (end_time) WHERE end_time IS NOT NULL;

-- The oldest revision that a space can be read as of; what had ended then may be gone.
ALTER TABLE quipu.heads ADD COLUMN oldest bigint NOT NULL DEFAULT 0;

-- Passages that were stored without vectors, and have none yet; `memory_id` is the memory that they were made for.
CREATE TABLE quipu.unembedded (
    space_id uuid NOT NULL,
    passage_id uuid NOT NULL,
    dimension smallint NOT NULL,
    memory_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (space_id, passage_id)
);
"""


def queue_schema() -> str:
    """The tables of the task queue, as its package has them; a release with other ones needs a migration of its own."""
    return (files("procrastinate.sql") / "schema.sql").read_text("utf-8")


def upgrade() -> None:
    op.execute("CREATE SCHEMA quipu_queue")
    # Its statements name no schema, and its functions find their tables by the search path of whoever calls them.
    op.execute("SET LOCAL search_path TO quipu_queue")
    op.get_bind().exec_driver_sql(queue_schema().replace("%", "%%"))
    op.execute("SET LOCAL search_path TO quipu, quipu_queue, public")
    op.execute(SCHEMA)
