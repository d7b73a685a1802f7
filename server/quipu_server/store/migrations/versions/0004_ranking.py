"""What ranking reads: whether somebody gave the importance, what was said of memories, how often they were used."""

from alembic import op

revision = "0004"
down_revision = "0003"

SCHEMA = """
-- Whether the importance was given; the column holds the default when it was not. Of older rows their value tells.
ALTER TABLE quipu.memory_revisions ADD COLUMN importance_given boolean NOT NULL DEFAULT false;
UPDATE quipu.memory_revisions SET importance_given = true WHERE importance <> 0.5;
ALTER TABLE quipu.memory_revisions ALTER COLUMN importance_given DROP DEFAULT;

-- How often the content was called useful, irrelevant, outdated, wrong, in this order; NULL: nobody said anything.
ALTER TABLE quipu.memory_revisions ADD COLUMN feedback integer[];

-- How often memories were found by searches. It is no part of the log: counts are added in batches, beside it.
CREATE TABLE quipu.memory_uses (
    space_id uuid NOT NULL,
    memory_id text COLLATE "C" NOT NULL,
    use_count bigint NOT NULL,
    last_use_time timestamptz NOT NULL,
    PRIMARY KEY (space_id, memory_id)
) WITH (fillfactor = 70);
ALTER TABLE quipu.memory_uses ALTER COLUMN space_id SET STATISTICS 0;
"""


def upgrade() -> None:
    op.execute(SCHEMA)
