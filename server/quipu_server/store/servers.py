"""Servers of PostgreSQL: ours, which `embedded` starts, and those of others; whether one answers."""

from dataclasses import dataclass, field
from typing import Protocol

import psycopg
from psycopg.conninfo import conninfo_to_dict

from quipu_server.errors import StartupError


class Postgres(Protocol):
    """A PostgreSQL server, ours or somebody else's."""

    async def ensure_running(self) -> str:
        """How to connect to it, after starting it if that is ours to do. Raises StartupError."""


@dataclass(frozen=True, slots=True)
class ExternalPostgres:
    """A server that others run."""

    url: str = field(repr=False)

    async def ensure_running(self) -> str:
        """The URL. Raises StartupError, which does not repeat it: it may hold a password."""
        try:
            conninfo_to_dict(self.url)
        except psycopg.ProgrammingError:
            example = "postgresql://user:password@host/database"
            raise StartupError(f"the database URL cannot be read; it has the form {example}") from None
        return self.url


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether the database answers; `reason` says why it does not."""

    ready: bool
    reason: str = ""
