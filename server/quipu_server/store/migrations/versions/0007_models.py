"""Changing the embedding model of a space."""

from alembic import op

revision = "0007"
down_revision = "0006"

SCHEMA = """
-- The model before, while its vectors are kept: the way back.
ALTER TABLE quipu.spaces ADD COLUMN previous_model text NOT NULL DEFAULT '';
-- Fingerprint of the model of the space, once it was changed. Writers see it with the lock that they take anyhow: one
-- that began under another model must not leave its vectors as if they were those of this one.
ALTER TABLE quipu.heads ADD COLUMN fingerprint text COLLATE "C";
"""


def upgrade() -> None:
    op.execute(SCHEMA)
