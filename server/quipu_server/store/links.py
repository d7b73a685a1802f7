"""How each connection to PostgreSQL is set up, and how one is broken that has fallen silent."""

import os
import socket
from contextlib import suppress
from typing import Any, TypeAlias

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import set_json_loads

from quipu_server.store.metadata import parse_document

Connection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]

CONNECT_TIMEOUT_S = 5
LOST_PACKETS = {"tcp_user_timeout": 20_000, "keepalives_idle": 20, "keepalives_interval": 5, "keepalives_count": 3}
"""When a connection counts as broken whose packets vanish; by default the system waits for a quarter of an hour."""
SESSION_SETTINGS = {
    "TimeZone": "UTC",
    "search_path": "quipu,quipu_queue,public",
    "statement_timeout": "60s",
    "idle_in_transaction_session_timeout": "60s",
    "jit": "off",
    # Every query goes by a key that begins with the space. While tables are small the planner prefers to scan them, and
    # keeps such a plan for a prepared statement long after they have grown.
    "enable_seqscan": "off",
}


def with_settings(conninfo: str, **settings: str) -> str:
    """The connection string with the settings of a session, for which those it brings are overruled."""
    defaults: dict[str, Any] = {"application_name": "quipu", "connect_timeout": CONNECT_TIMEOUT_S, "options": ""}
    defaults |= LOST_PACKETS
    parameters = defaults | conninfo_to_dict(conninfo)
    options = " ".join(f"-c {name}={value}" for name, value in (SESSION_SETTINGS | settings).items())
    parameters["options"] = f"{parameters['options']} {options}"
    return make_conninfo("", **parameters)


def sever(connection: psycopg.AsyncConnection[Any]) -> None:
    """Have whoever waits for an answer learn that there will be none.

    Cancelling is not enough: the driver then waits for the end of the statement, on the same connection.
    """
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)


async def configure(connection: Connection) -> None:
    """Have a connection commit at once, and read documents as we do.

    The first is no setting of the pool: the task queue makes connections of its own with those, and says so again.
    """
    await connection.set_autocommit(True)
    set_json_loads(parse_document, connection)


def first_line(error: BaseException) -> str:
    """What an error says first; libpq adds hints, and the driver never puts a password in."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
