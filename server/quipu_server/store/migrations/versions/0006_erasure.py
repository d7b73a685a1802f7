"""Where a space stood when something of it was erased last."""

from alembic import op

revision = "0006"
down_revision = "0005"

SCHEMA = """
-- Revision of the last erasure: copies that servers made of the space before hold what must be gone; 0: there was none.
ALTER TABLE quipu.heads ADD COLUMN erased bigint NOT NULL DEFAULT 0;
"""


def upgrade() -> None:
    op.execute(SCHEMA)
