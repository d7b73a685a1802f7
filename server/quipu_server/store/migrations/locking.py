"""Row-level security of a table, for the migration that makes it. A test asks for it of every table.

A migration that changes rows does so as `quipu_system`: the owner of the tables is held by the policies, too.
"""

from typing import Any

TENANT_RULE = "tenant = (SELECT quipu.current_tenant())"
SPACE_RULE = "space_id = (SELECT quipu.current_space())"
HEAD_RULE = "quipu.is_ours(space_id)"
"""Of one row for each space: a transaction of a tenant sees those of all its spaces."""

# What is compared with is computed once for each statement. CASE hides the comparison from the planner, which takes it
# for one more condition that leaves one row of 200, and choose ways that are good for a handful of rows only.
_LOCK = """
ALTER TABLE quipu.{table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE quipu.{table} FORCE ROW LEVEL SECURITY;
CREATE POLICY entered ON quipu.{table} USING (CASE WHEN {rule} THEN true ELSE false END);
CREATE POLICY system ON quipu.{table} TO quipu_system USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON quipu.{table} TO quipu_tenant, quipu_system;
"""


def lock(op: Any, rule: str, *tables: str) -> None:
    """Have transactions see those rows of the tables that the rule allows."""
    for table in tables:
        op.execute(_LOCK.format(table=table, rule=rule))
