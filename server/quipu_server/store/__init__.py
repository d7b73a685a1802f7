"""The store: PostgreSQL with pgvector, embedded or given."""

from quipu_server.store.database import Database
from quipu_server.store.embedded import EmbeddedPostgres
from quipu_server.store.log import PostgresLog
from quipu_server.store.memories import PostgresMemoryStore
from quipu_server.store.servers import ExternalPostgres
from quipu_server.store.sessions import PostgresSessionStore
from quipu_server.store.spaces import PostgresSpaceStore
from quipu_server.store.view import StoreView

__all__ = [
    "Database",
    "EmbeddedPostgres",
    "ExternalPostgres",
    "PostgresLog",
    "PostgresMemoryStore",
    "PostgresSessionStore",
    "PostgresSpaceStore",
    "StoreView",
]
