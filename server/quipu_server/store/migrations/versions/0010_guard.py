"""What each tenant wants of the guard."""

from alembic import op

revision = "0010"
down_revision = "0009"

SCHEMA = """
ALTER TABLE quipu.tenants ADD COLUMN guard_policy jsonb NOT NULL DEFAULT '{}';
"""


def upgrade() -> None:
    op.execute(SCHEMA)
