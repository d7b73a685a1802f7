"""Looks at a database without changing it."""

import psycopg

from quipu_server.errors import StartupError
from quipu_server.store.schema import check_pgvector, check_server
from quipu_server.store.servers import Postgres

_VERSIONS = """
SELECT current_setting('server_version'), current_setting('server_version_num')::integer,
       (SELECT extversion FROM pg_extension WHERE extname = 'vector'),
       (SELECT default_version FROM pg_available_extensions WHERE name = 'vector')
"""


async def examine(postgres: Postgres) -> str:
    """Its versions, as `PostgreSQL 18.1, pgvector 0.8.5`.

    Raises StartupError when it cannot be reached or is too old; the message says how to mend it.
    """
    conninfo = await postgres.ensure_running()
    try:
        async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
            row = await (await connection.execute(_VERSIONS)).fetchone()
    except psycopg.OperationalError as error:
        raise StartupError(f"the database cannot be reached: {str(error).splitlines()[0]}") from error
    assert row is not None
    name, number, installed, available = row
    check_server(number)
    check_pgvector(installed, available)
    return f"PostgreSQL {name.split()[0]}, pgvector {installed or available}"
