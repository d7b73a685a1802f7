"""Spaces, the logs of their memories, and the indexed text."""

from alembic import op

revision = "0001"
down_revision = None

SCHEMA = """
CREATE EXTENSION IF NOT EXISTS vector SCHEMA public;

CREATE TABLE quipu.spaces (
    space_id uuid NOT NULL PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    model text NOT NULL,
    fingerprint text NOT NULL,
    language text NOT NULL,
    display_name text NOT NULL,
    ranking jsonb NOT NULL,
    version integer NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    UNIQUE (tenant, name)
);

-- The row a write locks from taking its revisions to its commit. Room in its page keeps updates off the index.
CREATE TABLE quipu.heads (
    space_id uuid NOT NULL PRIMARY KEY,
    revision bigint NOT NULL,
    memory_count bigint NOT NULL
) WITH (fillfactor = 30);

-- The log: one row for each revision of a space. `ended` is the revision of the next version of the same memory.
-- A deletion (change 3) is a version, too: it repeats the fields of the one before.
-- That a memory has one current version is the work of the lock on the head: an index that says so would cost every
-- update of `ended` an entry in each index.
-- `nonce` is that of the transaction; it tells two histories apart when a restored database takes revisions anew.
CREATE TABLE quipu.memory_revisions (
    space_id uuid NOT NULL,
    revision bigint NOT NULL,
    ended bigint,
    nonce bigint NOT NULL,
    passage_id uuid NOT NULL,
    importance double precision NOT NULL,
    event_time timestamptz,
    expire_time timestamptz,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    change smallint NOT NULL,
    kind smallint NOT NULL,
    role smallint NOT NULL,
    memory_id text COLLATE "C" NOT NULL,
    speaker text COLLATE "C" NOT NULL,
    session text COLLATE "C" NOT NULL,
    tags text[] COLLATE "C" NOT NULL,
    metadata jsonb NOT NULL,
    PRIMARY KEY (space_id, revision)
);
-- It does not begin with the space: the planner would take it for a way to revisions, too.
CREATE UNIQUE INDEX memory_revisions_history ON quipu.memory_revisions (memory_id, space_id, revision);

-- Indexed text: written once, shared by the versions of a memory that have the same text.
CREATE TABLE quipu.passages (
    space_id uuid NOT NULL,
    passage_id uuid NOT NULL,
    length integer NOT NULL,
    content text COLLATE "C" NOT NULL,
    terms text[] COLLATE "C" NOT NULL,
    frequencies integer[] NOT NULL,
    PRIMARY KEY (space_id, passage_id)
);

-- One row for each chunk of a passage and each model; `fingerprint` is the model's.
CREATE TABLE quipu.vectors (
    space_id uuid NOT NULL,
    passage_id uuid NOT NULL,
    chunk smallint NOT NULL,
    dimension smallint NOT NULL,
    span_start integer NOT NULL,
    span_end integer NOT NULL,
    fingerprint text COLLATE "C" NOT NULL,
    embedding halfvec NOT NULL CHECK (vector_dims(embedding) = dimension),
    PRIMARY KEY (space_id, fingerprint, passage_id, chunk)
);

-- Spaces differ in size by powers of ten, and a new one is in no statistics: the planner would take it for empty, and
-- any way through it for a good one. Without statistics it takes every space for a 200th of the table.
ALTER TABLE quipu.memory_revisions ALTER COLUMN space_id SET STATISTICS 0;
ALTER TABLE quipu.passages ALTER COLUMN space_id SET STATISTICS 0;
ALTER TABLE quipu.vectors ALTER COLUMN space_id SET STATISTICS 0;

-- What makes mutations idempotent: those of memories by the revisions they made, those of spaces by their answer.
CREATE TABLE quipu.requests (
    space_id uuid NOT NULL,
    request_id uuid NOT NULL,
    digest bytea NOT NULL,
    first_revision bigint NOT NULL,
    revision_count integer NOT NULL,
    create_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (space_id, request_id)
);
-- Small, as rows come in the order of time; for forgetting old ones.
CREATE INDEX requests_create_time ON quipu.requests USING brin (create_time);
CREATE TABLE quipu.space_requests (
    tenant text COLLATE "C" NOT NULL,
    request_id uuid NOT NULL,
    digest bytea NOT NULL,
    answer jsonb,
    create_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, request_id)
);
"""


def upgrade() -> None:
    op.execute(SCHEMA)
