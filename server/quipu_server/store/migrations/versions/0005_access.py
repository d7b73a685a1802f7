"""Tenants, their keys, and the log of what was administered."""

from alembic import op

revision = "0005"
down_revision = "0004"

SCHEMA = """
CREATE TABLE quipu.tenants (
    tenant text COLLATE "C" NOT NULL PRIMARY KEY,
    display_name text NOT NULL,
    limits jsonb NOT NULL,
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL
);
-- Whose everything is that was written without credentials.
INSERT INTO quipu.tenants VALUES ('default', '', '{}', now(), now());

-- Only digests of secrets are kept. `previous_digest` is that of the secret before a rotation.
CREATE TABLE quipu.api_keys (
    tenant text COLLATE "C" NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    role smallint NOT NULL,
    digest bytea NOT NULL,
    display_name text NOT NULL,
    space_prefixes text[] COLLATE "C" NOT NULL,
    limits jsonb NOT NULL,
    create_time timestamptz NOT NULL,
    expire_time timestamptz,
    revoke_time timestamptz,
    previous_digest bytea NOT NULL,
    previous_expire_time timestamptz,
    PRIMARY KEY (tenant, key_id)
);
-- A caller shows the id of its key only. Not unique, as a distributed table could not see to that; ids are random.
CREATE INDEX api_keys_id ON quipu.api_keys (key_id);

-- What was administered; it stays when a tenant goes.
CREATE TABLE quipu.audit_entries (
    tenant text COLLATE "C" NOT NULL,
    create_time timestamptz NOT NULL,
    entry_id uuid NOT NULL,
    actor text NOT NULL,
    method text NOT NULL,
    resource text NOT NULL,
    details jsonb NOT NULL,
    PRIMARY KEY (tenant, create_time, entry_id)
);
CREATE INDEX audit_entries_time ON quipu.audit_entries (create_time, entry_id);

-- What limited callers used, by window: the one with number n begins n * window_s seconds after 1970. `key_id` is empty
-- for what all keys of the tenant used together.
CREATE TABLE quipu.usage_counts (
    tenant text COLLATE "C" NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    measure text COLLATE "C" NOT NULL,
    window_s integer NOT NULL,
    number bigint NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (tenant, key_id, measure, window_s, number)
);
"""


def upgrade() -> None:
    op.execute(SCHEMA)
