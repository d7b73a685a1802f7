"""The roles that PostgreSQL's row-level security tells apart; neither owns a table, nor may either pass policies by."""

import psycopg
from psycopg.sql import SQL, Identifier

from quipu_server.errors import StartupError

TENANT_ROLE = "quipu_tenant"
"""Sees and changes rows of the tenant, or of the space, that its transaction has entered."""
SYSTEM_ROLE = "quipu_system"
"""Sees and changes rows of all tenants, by policies that say so."""

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('quipu roles', 0))"
_FOUND = """
SELECT r.rolname, pg_has_role(r.oid, 'SET'), r.rolsuper OR r.rolbypassrls FROM pg_roles r WHERE r.rolname = ANY (%s)
"""
_ATTEMPTS = 5


async def ensure_roles(conninfo: str) -> None:
    """Make the roles where they are missing, and let the account of the connection become them.

    Raises StartupError when the account may not, psycopg.OperationalError when the database cannot be reached.
    """
    roles = (TENANT_ROLE, SYSTEM_ROLE)
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        for _ in range(_ATTEMPTS):
            found = {name: (may, above) for name, may, above in await _rows(connection, list(roles))}
            if above := [name for name, (_, is_above) in found.items() if is_above]:
                raise StartupError(f"row-level security does not hold {above[0]}: take SUPERUSER and BYPASSRLS from it")
            missing = [name for name in roles if not found.get(name, (False, False))[0]]
            if not missing:
                return
            try:
                async with connection.transaction():
                    await connection.execute(_LOCK)
                    for name in missing:
                        await _make(connection, name, exists=name in found)
            except psycopg.errors.InsufficientPrivilege as error:
                raise StartupError(_advice(connection.info.user)) from error
            except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation, psycopg.errors.InternalError_):
                continue  # a server on another database of the cluster was at it, too
    raise StartupError(_advice(connection.info.user))


async def _rows(connection: psycopg.AsyncConnection, roles: list[str]) -> list[tuple[str, bool, bool]]:
    return await (await connection.execute(_FOUND, (roles,))).fetchall()


async def _make(connection: psycopg.AsyncConnection, role: str, *, exists: bool) -> None:
    if not exists:
        await connection.execute(SQL("CREATE ROLE {} NOLOGIN").format(Identifier(role)))
    # Without INHERIT: what the role may, the account may only after it has become the role.
    await connection.execute(SQL("GRANT {} TO CURRENT_USER WITH INHERIT FALSE, SET TRUE").format(Identifier(role)))


def _advice(account: str) -> str:
    return (
        f"the account {account!r} cannot become {TENANT_ROLE} and {SYSTEM_ROLE}, and may not make these roles; "
        f"have an administrator of PostgreSQL run: CREATE ROLE {TENANT_ROLE} NOLOGIN; "
        f"CREATE ROLE {SYSTEM_ROLE} NOLOGIN; "
        f'GRANT {TENANT_ROLE}, {SYSTEM_ROLE} TO "{account}" WITH INHERIT FALSE, SET TRUE'
    )
