"""Sessions: the order of their messages, what they have beside them, and tokens of texts."""

from alembic import op

revision = "0003"
down_revision = "0002"

SCHEMA = """
-- The revision that created the memory, kept by the versions that follow: the order of messages within a session.
ALTER TABLE quipu.memory_revisions ADD COLUMN created bigint;
UPDATE quipu.memory_revisions r SET created = (
    SELECT max(c.revision) FROM quipu.memory_revisions c
    WHERE c.space_id = r.space_id AND c.memory_id = r.memory_id AND c.revision <= r.revision AND c.change = 1
);
ALTER TABLE quipu.memory_revisions ALTER COLUMN created SET NOT NULL;

-- Messages are the episodic memories (kind 1) of a session. The predicate keeps the planner from taking the index for a
-- way to other revisions. It does not name `ended`: every end of a version would cost an entry in each index then.
CREATE INDEX memory_revisions_session ON quipu.memory_revisions (space_id, session, created)
WHERE session <> '' AND kind = 1;

-- Tokens of the content as the model of the space counts them; NULL: not counted yet.
ALTER TABLE quipu.passages ADD COLUMN token_count integer;

-- What a session has beside its messages; one that was only written to has no row.
CREATE TABLE quipu.sessions (
    space_id uuid NOT NULL,
    session text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    title text NOT NULL,
    summary text NOT NULL,
    metadata jsonb NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    end_time timestamptz,
    PRIMARY KEY (space_id, session)
);
ALTER TABLE quipu.sessions ALTER COLUMN space_id SET STATISTICS 0;
"""


def upgrade() -> None:
    op.execute(SCHEMA)
