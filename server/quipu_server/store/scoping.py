"""Whose rows a transaction sees: the second lock on isolation, beside the predicates of every statement.

Connections are `quipu_tenant` from their start, a role that sees nothing until its transaction has entered a tenant or
one of its spaces; what it entered ends with the transaction, whichever way that ends. Only `unlocked` and `owner` are
beyond the lock.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from typing import TypeAlias
from uuid import UUID

import psycopg
from psycopg import Rollback
from psycopg.sql import SQL, Literal

from quipu_server.domain import Space
from quipu_server.store.links import Connection
from quipu_server.store.roles import SYSTEM_ROLE

Whose: TypeAlias = Space | str
"""A space, or a tenant: then the rows that are the tenant's, but of its spaces only themselves and their heads."""

ENTER = "SELECT quipu.enter($1::text, $2::uuid)"
_UNLOCK = f"BEGIN; SET LOCAL ROLE {SYSTEM_ROLE}"


def entered(whose: Whose) -> tuple[str, UUID | None]:
    """Tenant and space to enter."""
    return (whose, None) if isinstance(whose, str) else (whose.tenant, whose.id)


@asynccontextmanager
async def transaction(connection: Connection, whose: Whose, *, snapshot: bool = False) -> AsyncIterator[None]:
    """A transaction that sees what belongs to somebody; entering takes no round trip of its own.

    snapshot: all of its statements see the database as it is when it begins.
    """
    async with _transaction(connection, _opening(*entered(whose), snapshot=snapshot)):
        yield


@asynccontextmanager
async def unlocked(connection: Connection) -> AsyncIterator[None]:
    """A transaction that sees what belongs to all tenants."""
    async with _transaction(connection, _UNLOCK):
        yield


@asynccontextmanager
async def owner(connection: Connection) -> AsyncIterator[None]:
    """Be the account that the connection was made by, as what owns tables must; statements commit at once."""
    try:
        await connection.execute("SET ROLE NONE")
        yield
    finally:
        try:
            await connection.execute("RESET ROLE")
        except BaseException:  # a connection with that role must not serve anybody else
            await connection.close()
            raise


@asynccontextmanager
async def _transaction(connection: Connection, opening: str) -> AsyncIterator[None]:
    try:
        await connection.execute(opening, prepare=False)
        yield
    except Rollback:
        await connection.rollback()
    except BaseException:
        with suppress(psycopg.Error):  # the pool looks after a connection that cannot
            await connection.rollback()
        raise
    else:
        await connection.commit()


@lru_cache(maxsize=1 << 12)
def _opening(tenant: str, space_id: UUID | None, *, snapshot: bool) -> str:
    """As one message: it has no parameters, so that it may be of two statements."""
    begin = SQL("BEGIN ISOLATION LEVEL REPEATABLE READ" if snapshot else "BEGIN")
    return SQL("{}; SELECT quipu.enter({}, {})").format(begin, Literal(tenant), Literal(space_id)).as_string()
