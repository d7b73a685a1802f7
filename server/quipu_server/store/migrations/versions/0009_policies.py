"""Row-level security: of each table a transaction sees what belongs to the tenant, or the space, that it entered."""

import sqlalchemy
from alembic import op

from quipu_server.store.migrations.locking import HEAD_RULE, SPACE_RULE, TENANT_RULE, lock

revision = "0009"
down_revision = "0008"

# What was set for a transaction is empty after it, rather than gone.
FUNCTIONS = """
CREATE FUNCTION quipu.current_tenant() RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE found text := current_setting('quipu.tenant', true);
BEGIN
    IF found IS NULL OR found = '' THEN
        RAISE EXCEPTION 'the transaction has entered no tenant' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN found;
END $$;

CREATE FUNCTION quipu.current_space() RETURNS uuid LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE found text := current_setting('quipu.space', true);
BEGIN
    IF found IS NULL OR found = '' THEN
        RAISE EXCEPTION 'the transaction has entered no space' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN found::uuid;
END $$;

-- Whether a space is that of the transaction, or one of its tenant if it entered none.
CREATE FUNCTION quipu.is_ours(space uuid) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE found text := current_setting('quipu.space', true);
BEGIN
    IF found <> '' THEN
        RETURN space = found::uuid;
    END IF;
    RETURN EXISTS (SELECT FROM quipu.spaces s WHERE s.space_id = space AND s.tenant = quipu.current_tenant());
END $$;

-- Until the transaction ends. A space that is not the tenant's, or is gone, is entered as one that has nothing.
CREATE FUNCTION quipu.enter(tenant text, space uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    found text := set_config('quipu.tenant', tenant, true);
BEGIN
    IF space IS NULL THEN
        found := '';
    ELSIF EXISTS (SELECT FROM quipu.spaces s WHERE s.space_id = space AND s.tenant = enter.tenant) THEN
        found := space::text;
    ELSE
        found := '00000000-0000-0000-0000-000000000000';
    END IF;
    found := set_config('quipu.space', found, true);
END $$;
"""
# Rows to insert, as arrays of which they come: COPY is refused where there are policies. They are types of their own so
# that a server goes on while a newer one adds columns to the tables.
TYPES = """
CREATE TYPE quipu.new_passage AS (
    space_id uuid, passage_id uuid, length integer, token_count integer, content text, terms text[],
    frequencies integer[]
);
CREATE TYPE quipu.new_vector AS (
    space_id uuid, passage_id uuid, chunk smallint, dimension smallint, span_start integer, span_end integer,
    fingerprint text, embedding public.halfvec
);
CREATE TYPE quipu.new_unembedded AS (space_id uuid, passage_id uuid, dimension smallint, memory_id text);
CREATE TYPE quipu.new_revision AS (
    space_id uuid, revision bigint, nonce bigint, passage_id uuid, importance double precision, event_time timestamptz,
    expire_time timestamptz, create_time timestamptz, update_time timestamptz, change smallint, kind smallint,
    created bigint, role smallint, memory_id text, speaker text, session text, tags text[], metadata jsonb,
    importance_given boolean, feedback integer[]
);
"""
# The queue has ids of jobs and names of kinds, and is the work of all tenants; what a job is about is in quipu.jobs.
GRANTS = """
GRANT USAGE ON SCHEMA quipu, quipu_queue TO quipu_tenant, quipu_system;
GRANT SELECT ON quipu.schema_version TO quipu_tenant, quipu_system;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA quipu_queue TO quipu_tenant, quipu_system;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA quipu_queue TO quipu_tenant, quipu_system;
"""
# By their columns, so that the order of migrations does not matter.
TABLES = """
SELECT t.relname, bool_or(a.attname = 'tenant') FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid
WHERE t.relkind = 'r' AND t.relnamespace = 'quipu'::regnamespace AND a.attname IN ('tenant', 'space_id')
AND NOT a.attisdropped
GROUP BY t.relname ORDER BY t.relname
"""


def upgrade() -> None:
    op.execute(FUNCTIONS)
    op.execute(TYPES)
    op.execute(GRANTS)
    found = op.get_bind().execute(sqlalchemy.text(TABLES))
    tables: dict[str, bool] = dict(found.all())
    lock(op, HEAD_RULE, "heads")
    lock(op, TENANT_RULE, *(table for table, has_tenant in tables.items() if has_tenant))
    lock(op, SPACE_RULE, *(table for table, has_tenant in tables.items() if not has_tenant and table != "heads"))
