"""What the database must have before it serves: versions new enough, and the schema this code was written for."""

import asyncio
from pathlib import Path

import psycopg

from quipu_server.errors import StartupError
from quipu_server.store.roles import ensure_roles

MIGRATIONS = Path(__file__).parent / "migrations"
OLDEST_SERVER = 170_000
"""PostgreSQL 17 brought `pg_c_utf8`, a collation that is the same everywhere."""
OLDEST_PGVECTOR = (0, 8, 4)
"""Older ones can corrupt HNSW indexes."""
ADVISORY_LOCK = 0x7175697075
"""Held by whoever changes the schema; the number says `quipu`."""

_VERSIONS = """
SELECT current_setting('server_version_num')::integer,
       (SELECT extversion FROM pg_extension WHERE extname = 'vector'),
       (SELECT default_version FROM pg_available_extensions WHERE name = 'vector'),
       to_regclass('quipu.schema_version') IS NOT NULL
"""


async def prepare(conninfo: str) -> None:
    """Check versions and bring the schema up to date; safe when several replicas do it at once.

    Raises StartupError when the database cannot serve, psycopg.OperationalError when it cannot be reached.
    """
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        row = await (await connection.execute(_VERSIONS)).fetchone()
        assert row is not None
        server, installed, available, has_schema = row
        check_server(server)
        check_pgvector(installed, available)
        stored = await _stored_version(connection) if has_schema else 0
    newest = newest_version()
    if stored > newest:
        raise StartupError(
            f"the database has schema {stored:04d}, this server knows {newest:04d} at most; "
            "start a server at least as new as the one that migrated it"
        )
    await ensure_roles(conninfo)
    if stored < newest:
        await asyncio.to_thread(_upgrade, conninfo)


def check_server(version: int) -> None:
    """Raise StartupError when PostgreSQL is too old. version: as in `server_version_num`."""
    if version < OLDEST_SERVER:
        raise StartupError(f"PostgreSQL {version // 10_000} is too old: use {OLDEST_SERVER // 10_000} or newer")


def check_pgvector(installed: str | None, available: str | None) -> None:
    """Raise StartupError when pgvector is missing or too old. Versions as in `pg_extension`; None: not there."""
    oldest = ".".join(map(str, OLDEST_PGVECTOR))
    if installed is None and available is None:
        raise StartupError(f"PostgreSQL has no pgvector: install version {oldest} or newer on its machine")
    if _parse_version(installed or available) >= OLDEST_PGVECTOR:
        return
    if installed and _parse_version(available) >= OLDEST_PGVECTOR:
        mend = "run `ALTER EXTENSION vector UPDATE` in this database"
    else:
        mend = f"install version {oldest} or newer on its machine"
        mend += ", then run `ALTER EXTENSION vector UPDATE` in this database" if installed else ""
    raise StartupError(f"pgvector {installed or available} is too old and can corrupt indexes: {mend}")


def newest_version() -> int:
    """Number of the newest migration."""
    return max(int(path.name[:4]) for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _parse_version(text: str | None) -> tuple[int, ...]:
    return tuple(int(part) for part in (text or "0").split("."))


async def _stored_version(connection: psycopg.AsyncConnection) -> int:
    row = await (await connection.execute("SELECT version_num FROM quipu.schema_version")).fetchone()
    return int(row[0]) if row else 0


def _upgrade(conninfo: str, target: str = "head") -> None:
    """Run the missing migrations in one transaction; the lock makes other replicas wait, and find nothing to do."""
    import sqlalchemy
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo), poolclass=sqlalchemy.NullPool
    )
    try:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("SET LOCAL statement_timeout = 0"))
            connection.execute(sqlalchemy.text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
            connection.execute(sqlalchemy.text("CREATE SCHEMA IF NOT EXISTS quipu"))
            config.attributes["connection"] = connection
            command.upgrade(config, target)
    except sqlalchemy.exc.DBAPIError as error:
        if isinstance(error.orig, psycopg.OperationalError):
            raise error.orig from None
        raise StartupError(f"cannot make the schema: {error.orig}") from error
