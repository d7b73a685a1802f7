"""Policies of retention."""

from alembic import op

revision = "0008"
down_revision = "0007"

SCHEMA = """
-- `space_id` is 0 for policies that are for all spaces of the tenant. `settings` is what the caller said.
CREATE TABLE quipu.retention_policies (
    tenant text COLLATE "C" NOT NULL,
    space_id uuid NOT NULL,
    policy_id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    settings jsonb NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    PRIMARY KEY (tenant, space_id, policy_id)
);
"""


def upgrade() -> None:
    op.execute(SCHEMA)
