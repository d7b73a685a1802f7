"""The clients, and how to get one."""

from typing import Self

import grpc

from quipu.admin import AdminOperations
from quipu.bulk import BulkOperations
from quipu.dual import Asynchronous, Blocking, call
from quipu.embeddings import EmbeddingOperations
from quipu.indexes import IndexOperations
from quipu.ingests import IngestOperations
from quipu.jobs import JobOperations
from quipu.memories import MemoryOperations
from quipu.policies import PolicyOperations
from quipu.retention import RetentionOperations
from quipu.searches import SearchOperations
from quipu.sessions import SessionOperations
from quipu.spaces import SpaceOperations
from quipu.tls import Tls
from quipu.watches import WatchOperations
from quipu.wire import AsyncWire, BlockingWire, Endpoint

DEFAULT_ADDRESS = "localhost:50051"
DEFAULT_SPACE = "default"
DEFAULT_TIMEOUT = 30.0
"""Seconds."""


class _Calls(
    MemoryOperations,
    BulkOperations,
    IngestOperations,
    SearchOperations,
    WatchOperations,
    SessionOperations,
    SpaceOperations,
    EmbeddingOperations,
    IndexOperations,
    AdminOperations,
    JobOperations,
    RetentionOperations,
    PolicyOperations,
):
    """All calls. Each takes a `timeout` in seconds over that of the client and raises QuipuError."""

    @call
    async def close(self) -> None:
        """End the connection and the calls on it."""
        await self._wire.close()


class Client(_Calls, Asynchronous):
    """An async client: `await client.add(…)`, `async for hit in client.search(…)`. For one event loop."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        await self.close()


class SyncClient(_Calls, Blocking):
    """A blocking client: `client.add(…)`, `for hit in client.search(…)`. May be shared between threads."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def connect(
    address: str = DEFAULT_ADDRESS,
    *,
    api_key: str | None = None,
    space: str = DEFAULT_SPACE,
    timeout: float = DEFAULT_TIMEOUT,
    tls: bool | Tls = False,
    credentials: grpc.ChannelCredentials | None = None,
) -> Client:
    """Give an async client; it connects at its first call.

    api_key: sent with every call; use it together with TLS.
    space: what calls without a space mean.
    timeout: seconds for calls without a timeout, retries included.
    tls: True for the usual authorities, or whom to trust and what to show.
    credentials: instead of tls, what gRPC takes.
    """
    return Client(AsyncWire(Endpoint(address, api_key, timeout, credentials or _credentials(tls))), space)


def connect_sync(
    address: str = DEFAULT_ADDRESS,
    *,
    api_key: str | None = None,
    space: str = DEFAULT_SPACE,
    timeout: float = DEFAULT_TIMEOUT,
    tls: bool | Tls = False,
    credentials: grpc.ChannelCredentials | None = None,
) -> SyncClient:
    """Give a blocking client; it connects at its first call. Arguments as in `connect`."""
    return SyncClient(BlockingWire(Endpoint(address, api_key, timeout, credentials or _credentials(tls))), space)


def _credentials(tls: bool | Tls) -> grpc.ChannelCredentials | None:
    """What gRPC takes; None to encrypt nothing."""
    return (tls if isinstance(tls, Tls) else Tls()).credentials() if tls else None
