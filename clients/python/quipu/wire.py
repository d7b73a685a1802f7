"""Connections to a server: an async one, and a blocking one with the same face."""

import asyncio
import json
import math
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import grpc

from quipu.errors import Cancelled, error_from
from quipu.exchanges import AsyncExchange, BlockingExchange, Exchange
from quipu.v1.admin_service_pb2_grpc import AdminServiceStub
from quipu.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from quipu.v1.index_service_pb2_grpc import IndexServiceStub
from quipu.v1.job_service_pb2_grpc import JobServiceStub
from quipu.v1.memory_service_pb2_grpc import MemoryServiceStub
from quipu.v1.retention_service_pb2_grpc import RetentionServiceStub
from quipu.v1.search_service_pb2_grpc import SearchServiceStub
from quipu.v1.session_service_pb2_grpc import SessionServiceStub
from quipu.v1.space_service_pb2_grpc import SpaceServiceStub

if TYPE_CHECKING:
    from quipu.v1.admin_service_pb2_grpc import AdminServiceAsyncStub
    from quipu.v1.embedding_service_pb2_grpc import EmbeddingServiceAsyncStub
    from quipu.v1.index_service_pb2_grpc import IndexServiceAsyncStub
    from quipu.v1.job_service_pb2_grpc import JobServiceAsyncStub
    from quipu.v1.memory_service_pb2_grpc import MemoryServiceAsyncStub
    from quipu.v1.retention_service_pb2_grpc import RetentionServiceAsyncStub
    from quipu.v1.search_service_pb2_grpc import SearchServiceAsyncStub
    from quipu.v1.session_service_pb2_grpc import SessionServiceAsyncStub
    from quipu.v1.space_service_pb2_grpc import SpaceServiceAsyncStub

Request = TypeVar("Request")
Response = TypeVar("Response")

RETRIES = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 5,  # the most gRPC allows; the waits, 0.2 + 0.8 + 3.2 + 5 s, outlast a slow restart
                "initialBackoff": "0.2s",  # gRPC varies every wait at random by a fifth
                "maxBackoff": "5s",
                "backoffMultiplier": 4,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
"""The service config. Mutations carry request ids, so that sending one twice has one effect."""

OPTIONS = (
    ("grpc.service_config", json.dumps(RETRIES)),
    ("grpc.max_receive_message_length", -1),  # the server has the limit
    ("grpc.per_rpc_retry_buffer_size", 16 << 20),  # what is longer is not sent again; gRPC has 256 KiB
    # A call that waits for long, as a watch does, must learn when the server's machine is gone.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


CLOSED = "the client was closed"

FOREVER = math.inf
"""A timeout that never comes."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server is, and how to speak to it. `timeout`: seconds for a call that brings none."""

    address: str
    api_key: str | None
    timeout: float
    credentials: grpc.ChannelCredentials | None


class Wire(ABC):
    """A connection, opened at the first call.

    The stubs of both kinds of channel have the same methods; their async types stand for both.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._metadata = (("authorization", f"Bearer {endpoint.api_key}"),) if endpoint.api_key else ()

    @cached_property
    def memories(self) -> "MemoryServiceAsyncStub":
        return MemoryServiceStub(self._channel)

    @cached_property
    def searches(self) -> "SearchServiceAsyncStub":
        return SearchServiceStub(self._channel)

    @cached_property
    def spaces(self) -> "SpaceServiceAsyncStub":
        return SpaceServiceStub(self._channel)

    @cached_property
    def sessions(self) -> "SessionServiceAsyncStub":
        return SessionServiceStub(self._channel)

    @cached_property
    def embeddings(self) -> "EmbeddingServiceAsyncStub":
        return EmbeddingServiceStub(self._channel)

    @cached_property
    def indexes(self) -> "IndexServiceAsyncStub":
        return IndexServiceStub(self._channel)

    @cached_property
    def admin(self) -> "AdminServiceAsyncStub":
        return AdminServiceStub(self._channel)

    @cached_property
    def jobs(self) -> "JobServiceAsyncStub":
        return JobServiceStub(self._channel)

    @cached_property
    def retention(self) -> "RetentionServiceAsyncStub":
        return RetentionServiceStub(self._channel)

    @cached_property
    @abstractmethod
    def _channel(self) -> grpc.aio.Channel: ...

    @abstractmethod
    async def unary(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request, timeout: float | None
    ) -> Response:
        """Make a call. Raises QuipuError."""

    @abstractmethod
    def stream(
        self, method: grpc.aio.UnaryStreamMultiCallable[Request, Response], request: Request, timeout: float | None
    ) -> AsyncGenerator[Response, None]:
        """Make a call that is answered in parts. Raises QuipuError; closing it cancels the call."""

    @abstractmethod
    def exchange(self, method: grpc.aio.StreamStreamMultiCallable[Request, Response]) -> Exchange[Request, Response]:
        """Begin a call with messages both ways; it has no deadline."""

    @abstractmethod
    async def pause(self, seconds: float) -> None:
        """Wait before a call is made anew. Raises Cancelled when the connection was closed."""

    @abstractmethod
    async def close(self) -> None:
        """End the connection and the calls on it."""

    def seconds(self, timeout: float | None) -> float:
        """A timeout, or that of the client."""
        return self._endpoint.timeout if timeout is None else timeout

    def _call(self, method: Any, request: Any, timeout: float | None) -> Any:
        seconds = self.seconds(timeout)
        return method(request, timeout=None if seconds == FOREVER else seconds, metadata=self._metadata)

    def _error(self, error: grpc.RpcError, request: Any) -> Exception:
        return error_from(error, self._endpoint.address, getattr(request, "request_id", ""))


class AsyncWire(Wire):
    """A connection of the running event loop."""

    @cached_property
    def _channel(self) -> grpc.aio.Channel:
        address, credentials = self._endpoint.address, self._endpoint.credentials
        if credentials:
            return grpc.aio.secure_channel(address, credentials, options=OPTIONS)
        return grpc.aio.insecure_channel(address, options=OPTIONS)

    async def unary(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request, timeout: float | None
    ) -> Response:
        try:
            response: Response = await self._call(method, request, timeout)
        except grpc.RpcError as error:
            raise self._error(error, request) from error
        return response

    async def stream(
        self, method: grpc.aio.UnaryStreamMultiCallable[Request, Response], request: Request, timeout: float | None
    ) -> AsyncGenerator[Response, None]:
        call = self._call(method, request, timeout)
        try:
            async for response in call:
                yield response
        except grpc.RpcError as error:
            raise self._error(error, request) from error
        finally:
            call.cancel()

    def exchange(self, method: grpc.aio.StreamStreamMultiCallable[Request, Response]) -> Exchange[Request, Response]:
        return AsyncExchange(method(metadata=self._metadata), lambda error: self._error(error, None))

    @cached_property
    def _closed(self) -> asyncio.Event:
        return asyncio.Event()

    async def pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._closed.wait(), seconds)
            raise Cancelled(CLOSED)

    async def close(self) -> None:
        self._closed.set()
        await self._channel.close()


class BlockingWire(Wire):
    """A connection whose coroutines block instead of waiting: `quipu.stepping.run` takes them to their end."""

    @cached_property
    def _channel(self) -> grpc.aio.Channel:
        address, credentials = self._endpoint.address, self._endpoint.credentials
        if credentials:
            return cast("grpc.aio.Channel", grpc.secure_channel(address, credentials, options=OPTIONS))
        return cast("grpc.aio.Channel", grpc.insecure_channel(address, options=OPTIONS))

    async def unary(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Response], request: Request, timeout: float | None
    ) -> Response:
        try:
            response: Response = self._call(method, request, timeout)
        except grpc.RpcError as error:
            raise self._error(error, request) from error
        return response

    async def stream(
        self, method: grpc.aio.UnaryStreamMultiCallable[Request, Response], request: Request, timeout: float | None
    ) -> AsyncGenerator[Response, None]:
        call = self._call(method, request, timeout)
        try:
            for response in call:
                yield response
        except grpc.RpcError as error:
            raise self._error(error, request) from error
        finally:
            call.cancel()

    def exchange(self, method: grpc.aio.StreamStreamMultiCallable[Request, Response]) -> Exchange[Request, Response]:
        def begin(requests: Any) -> Any:
            return method(requests, metadata=self._metadata)

        return BlockingExchange(begin, lambda error: self._error(error, None))

    @cached_property
    def _closed(self) -> threading.Event:
        return threading.Event()

    async def pause(self, seconds: float) -> None:
        if self._closed.wait(seconds):
            raise Cancelled(CLOSED)

    async def close(self) -> None:
        self._closed.set()
        cast("grpc.Channel", self._channel).close()
