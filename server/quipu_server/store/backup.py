"""Backs up the database of a server that may be running, and restores it into an empty one; both are verified."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from quipu_server import __version__
from quipu_server.errors import StartupError
from quipu_server.store.archive import DUMP, FORMAT, Manifest, Sums, drafted, opened, sha256_of
from quipu_server.store.embedded import DATABASE, SOCKET, USER, EmbeddedPostgres
from quipu_server.store.links import Connection, first_line
from quipu_server.store.programs import find_program, run
from quipu_server.store.roles import SYSTEM_ROLE, TENANT_ROLE, ensure_roles
from quipu_server.store.schema import check_pgvector, check_server, newest_version
from quipu_server.store.servers import ExternalPostgres

SCHEMAS = "quipu*"
"""Pattern of the schemas that are ours."""

SAME_TEXT = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "statement_timeout": "0",
}
"""Settings under which equal rows have equal texts."""

_TABLES = r"""
SELECT nspname, relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind = 'r' AND nspname LIKE 'quipu%' ORDER BY nspname, relname
"""
_OURS = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'quipu%'"
_SUM = "SELECT count(*), coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint), 0)::text FROM {}.{} t"
_REVISIONS = "SELECT tenant || '/' || name, revision FROM quipu.spaces JOIN quipu.heads USING (space_id) ORDER BY 1"
_ROLES = f"""
SELECT DISTINCT rolname FROM pg_namespace, aclexplode(nspacl) acl JOIN pg_roles r ON r.oid = acl.grantee
WHERE nspname LIKE 'quipu%' AND acl.grantee <> nspowner AND rolname NOT IN ('{TENANT_ROLE}', '{SYSTEM_ROLE}') ORDER BY 1
"""
"""Roles of others that have rights."""
_POLICIES = "SELECT FROM pg_policies WHERE schemaname = 'quipu' LIMIT 1"
_VERSIONS = """
SELECT current_setting('server_version_num')::integer, split_part(current_setting('server_version'), ' ', 1),
       (SELECT extversion FROM pg_extension WHERE extname = 'vector'),
       (SELECT default_version FROM pg_available_extensions WHERE name = 'vector'),
       to_regclass('quipu.schema_version') IS NOT NULL
"""


@asynccontextmanager
async def database_of(data_dir: Path, url: str) -> AsyncIterator[str]:
    """How to connect to an external database, or to the embedded one of a data directory: started if it does not run.

    Raises StartupError.
    """
    if url:
        yield await ExternalPostgres(url).ensure_running()
    elif running := await _find_running(data_dir / "postgres"):
        yield running
    else:
        postgres = EmbeddedPostgres(data_dir)
        try:
            yield await postgres.ensure_running()
        finally:
            await postgres.stop()


async def back_up(conninfo: str, target: Path) -> Manifest:
    """Write a backup as of one moment: what was committed then, whatever is written meanwhile. Raises StartupError.

    target: a directory to make, or a file to write if it ends in `.tar`.
    """
    with drafted(target) as draft:
        async with _connected(conninfo) as connection:
            major, postgresql = await _check(connection, has_schema=True)
            program = await find_program("pg_dump", major)
            async with connection.transaction():
                await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                snapshot = (await _rows(connection, "SELECT pg_export_snapshot(), now()"))[0]
                role = ("--enable-row-security", f"--role={SYSTEM_ROLE}") if await _see_all(connection) else ()
                options = ("--format=custom", "--compress=1", f"--schema={SCHEMAS}", "--no-owner", *role)
                dumping = asyncio.create_task(
                    _run(program, conninfo, *options, f"--snapshot={snapshot[0]}", f"--file={draft / DUMP}")
                )
                try:
                    tables = await sums(connection)
                    revisions = dict(await _rows(connection, _REVISIONS))
                    roles = tuple(role for (role,) in await _rows(connection, _ROLES))
                    schema = int((await _rows(connection, "SELECT version_num FROM quipu.schema_version"))[0][0])
                    await dumping
                finally:
                    dumping.cancel()
                    await asyncio.gather(dumping, return_exceptions=True)
        digest = await asyncio.to_thread(sha256_of, draft / DUMP)
        manifest = Manifest(
            FORMAT,
            __version__,
            schema,
            postgresql,
            snapshot[1].astimezone(UTC).isoformat(),
            (draft / DUMP).stat().st_size,
            digest,
            tables,
            revisions,
            roles,
        )
        manifest.write(draft)
    return manifest


async def restore(conninfo: str, source: Path) -> Manifest:
    """Bring a backup into a database that has nothing of ours, and compare.

    Raises StartupError; then nothing is left.
    """
    with opened(source) as directory:
        manifest = await asyncio.to_thread(Manifest.read, directory)
        if manifest.schema > newest_version():
            raise StartupError(
                f"the backup has schema {manifest.schema:04d}, this version knows {newest_version():04d} at most; "
                f"restore with quipu {manifest.quipu} or newer"
            )
        async with _connected(conninfo) as connection:
            major, _ = await _check(connection, has_schema=False)
            await ensure_roles(conninfo)
            program = await find_program("pg_restore", major)
            await _prepare(connection, manifest.roles)
            try:
                options = ("--exit-on-error", "--single-transaction", "--no-owner")
                await _run(program, conninfo, *options, str(directory / DUMP))
                await _compare(connection, manifest)
            except BaseException:
                for (schema,) in await _rows(connection, _OURS):
                    await connection.execute(SQL("DROP SCHEMA {} CASCADE").format(Identifier(schema)))
                raise
    return manifest


async def sums(connection: Connection) -> Sums:
    """Rows and checksum of each table; checksums do not depend on the order of rows."""
    found = {}
    for schema, table in await _rows(connection, _TABLES):
        query = SQL(_SUM).format(Identifier(schema), Identifier(table))
        ((count, checksum),) = await (await connection.execute(query)).fetchall()
        found[f"{schema}.{table}"] = (count, checksum)
    return found


async def _compare(connection: Connection, manifest: Manifest) -> None:
    """Raise StartupError unless the database holds what the manifest says."""
    async with connection.transaction():
        await _see_all(connection)
        restored = await sums(connection)
        revisions = dict(await _rows(connection, _REVISIONS))
    if restored != manifest.tables:
        names = sorted({*restored, *manifest.tables})
        wrong = [name for name in names if restored.get(name) != manifest.tables.get(name)]
        raise StartupError(f"what was restored is not what was backed up: {', '.join(wrong)}")
    if revisions != manifest.revisions:
        raise StartupError("what was restored has other revisions than what was backed up")


async def _see_all(connection: Connection) -> bool:
    """Become the role that policies let see every row, until the transaction ends; False where there are none yet.

    The owner of the tables is held by the policies as anybody else.
    """
    if not await _rows(connection, _POLICIES):
        return False
    await connection.execute(f"SET LOCAL ROLE {SYSTEM_ROLE}")
    return True


async def _check(connection: Connection, *, has_schema: bool) -> tuple[int, str]:
    """Major version and version of PostgreSQL. Raises StartupError when it cannot be used."""
    ((number, name, installed, available, found),) = await _rows(connection, _VERSIONS)
    check_server(number)
    check_pgvector(installed, available)
    if found and not has_schema:
        raise StartupError("the database has memories already; restore into a new data directory or an empty database")
    if has_schema and not found:
        raise StartupError("the database has no memories: no server has used it yet")
    return number // 10_000, name


async def _prepare(connection: Connection, roles: tuple[str, ...]) -> None:
    """Make what the dump takes for granted."""
    await connection.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
    present = {name for (name,) in await _rows(connection, "SELECT rolname FROM pg_roles")}
    for role in roles:
        if role not in present:
            await connection.execute(SQL("CREATE ROLE {} NOLOGIN").format(Identifier(role)))
            grant = SQL("GRANT {} TO CURRENT_USER WITH INHERIT FALSE, SET TRUE")
            await connection.execute(grant.format(Identifier(role)))


async def _find_running(cluster: Path) -> str | None:
    """How to connect to the embedded PostgreSQL of a server that runs."""
    try:
        socket_dir = (cluster / "postmaster.pid").read_text().splitlines()[4]
    except (OSError, IndexError):
        return None
    conninfo = make_conninfo(host=socket_dir, user=USER, dbname=DATABASE)
    if not (Path(socket_dir) / SOCKET).exists():
        return None
    try:
        await (await psycopg.AsyncConnection.connect(conninfo, connect_timeout=5)).close()
    except psycopg.OperationalError:  # left behind by one that was killed
        return None
    return conninfo


@asynccontextmanager
async def _connected(conninfo: str) -> AsyncIterator[Connection]:
    """A connection that sees every row. Raises StartupError, also for what the driver raises meanwhile."""
    options = " ".join(f"-c {name}={value}" for name, value in SAME_TEXT.items())
    try:
        async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True, options=options) as connection:
            yield connection
    except psycopg.Error as error:
        raise StartupError(f"the database: {first_line(error)}") from error


async def _rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return await (await connection.execute(query)).fetchall()


async def _run(program: Path, conninfo: str, *arguments: str) -> None:
    """Run a program on a database; the password goes where other users of the machine do not see it."""
    parameters = conninfo_to_dict(conninfo)
    password = parameters.pop("password", None)
    environment = os.environ | ({"PGPASSWORD": str(password)} if password else {})
    await run(program, f"--dbname={make_conninfo('', **parameters)}", *arguments, environment=environment)
