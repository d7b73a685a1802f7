"""Connections to a server: an async one, and a blocking one with the same face."""

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import grpc

from quipu.errors import error_from
from quipu.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from quipu.v1.index_service_pb2_grpc import IndexServiceStub
from quipu.v1.memory_service_pb2_grpc import MemoryServiceStub
from quipu.v1.search_service_pb2_grpc import SearchServiceStub
from quipu.v1.space_service_pb2_grpc import SpaceServiceStub

if TYPE_CHECKING:
    from quipu.v1.embedding_service_pb2_grpc import EmbeddingServiceAsyncStub
    from quipu.v1.index_service_pb2_grpc import IndexServiceAsyncStub
    from quipu.v1.memory_service_pb2_grpc import MemoryServiceAsyncStub
    from quipu.v1.search_service_pb2_grpc import SearchServiceAsyncStub
    from quipu.v1.space_service_pb2_grpc import SpaceServiceAsyncStub

Request = TypeVar("Request")
Response = TypeVar("Response")

RETRIES = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 5,  # the most gRPC allows; with these waits some 4 s, enough for a restart
                "initialBackoff": "0.2s",  # gRPC varies every wait at random by a fifth
                "maxBackoff": "2s",
                "backoffMultiplier": 2.5,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
"""The service config. Mutations carry request ids, so that sending one twice has one effect."""

OPTIONS = (
    ("grpc.service_config", json.dumps(RETRIES)),
    ("grpc.max_receive_message_length", -1),  # the server has the limit
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
)


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
    def embeddings(self) -> "EmbeddingServiceAsyncStub":
        return EmbeddingServiceStub(self._channel)

    @cached_property
    def indexes(self) -> "IndexServiceAsyncStub":
        return IndexServiceStub(self._channel)

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
    async def close(self) -> None:
        """End the connection and the calls on it."""

    def _call(self, method: Any, request: Any, timeout: float | None) -> Any:
        seconds = self._endpoint.timeout if timeout is None else timeout
        return method(request, timeout=seconds, metadata=self._metadata)

    def _error(self, error: grpc.RpcError) -> Exception:
        return error_from(error, self._endpoint.address)


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
            raise self._error(error) from error
        return response

    async def stream(
        self, method: grpc.aio.UnaryStreamMultiCallable[Request, Response], request: Request, timeout: float | None
    ) -> AsyncGenerator[Response, None]:
        call = self._call(method, request, timeout)
        try:
            async for response in call:
                yield response
        except grpc.RpcError as error:
            raise self._error(error) from error
        finally:
            call.cancel()

    async def close(self) -> None:
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
            raise self._error(error) from error
        return response

    async def stream(
        self, method: grpc.aio.UnaryStreamMultiCallable[Request, Response], request: Request, timeout: float | None
    ) -> AsyncGenerator[Response, None]:
        call = self._call(method, request, timeout)
        try:
            for response in call:
                yield response
        except grpc.RpcError as error:
            raise self._error(error) from error
        finally:
            call.cancel()

    async def close(self) -> None:
        cast("grpc.Channel", self._channel).close()
