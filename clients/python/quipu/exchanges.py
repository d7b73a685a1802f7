"""Calls with messages both ways: an async one, and a blocking one with the same face."""

import asyncio
import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar, cast

import grpc

from quipu.errors import Unavailable

Request = TypeVar("Request")
Response = TypeVar("Response")

ErrorOf = Callable[[grpc.RpcError], Exception]
"""Makes the exception for what a stub raised."""


class Exchange(ABC, Generic[Request, Response]):
    """One call. What goes wrong is raised by `receive`, not by `send`."""

    @abstractmethod
    async def send(self, request: Request) -> None:
        """Send a message, as soon as there is room for it on the connection."""

    @abstractmethod
    async def end(self) -> None:
        """Say that no more messages will be sent."""

    @property
    @abstractmethod
    def has_news(self) -> bool:
        """Whether `receive` would not wait."""

    @abstractmethod
    async def receive(self) -> Response | None:
        """The next message; None when the server has ended the call. Raises QuipuError."""

    @abstractmethod
    async def close(self) -> None:
        """Cancel the call if it is still under way."""


class AsyncExchange(Exchange[Request, Response]):
    """A call of the running event loop."""

    def __init__(self, call: Any, error_of: ErrorOf) -> None:
        self._call = call
        self._error_of = error_of
        self._next: asyncio.Future[Any] = asyncio.ensure_future(call.read())
        self._is_cut = False

    async def send(self, request: Request) -> None:
        try:
            await self._call.write(request)
        except (grpc.RpcError, asyncio.InvalidStateError):
            self._is_cut = True

    async def end(self) -> None:
        with contextlib.suppress(grpc.RpcError, asyncio.InvalidStateError):
            await self._call.done_writing()

    @property
    def has_news(self) -> bool:
        return self._next.done()

    async def receive(self) -> Response | None:
        try:
            response = await self._next
        except grpc.aio.AioRpcError as error:
            if self._is_cut and error.code() is grpc.StatusCode.INTERNAL:
                # A write that comes too late makes grpcio forget the status that the server sends.
                raise Unavailable("the call ended while something was sent") from error
            raise self._error_of(error) from error
        if response is grpc.aio.EOF:
            return None
        self._next = asyncio.ensure_future(self._call.read())
        return cast("Response", response)

    async def close(self) -> None:
        self._call.cancel()
        with contextlib.suppress(grpc.RpcError, asyncio.CancelledError):
            await asyncio.gather(self._next, return_exceptions=True)


class BlockingExchange(Exchange[Request, Response]):
    """A call whose answers a thread of its own reads. What waits to be sent, the caller must bound."""

    def __init__(self, begin: Callable[[Any], Any], error_of: ErrorOf) -> None:
        self._requests: SimpleQueue[Request | None] = SimpleQueue()
        self._news: SimpleQueue[Response | grpc.RpcError | None] = SimpleQueue()
        self._call = begin(iter(self._requests.get, None))
        self._error_of = error_of
        threading.Thread(target=self._read, name="quipu-exchange", daemon=True).start()

    async def send(self, request: Request) -> None:
        self._requests.put(request)

    async def end(self) -> None:
        self._requests.put(None)

    @property
    def has_news(self) -> bool:
        return not self._news.empty()

    async def receive(self) -> Response | None:
        news = self._news.get()
        if isinstance(news, grpc.RpcError):
            raise self._error_of(news) from news
        return news

    async def close(self) -> None:
        self._call.cancel()
        self._requests.put(None)  # lets go of the thread of gRPC that waits for a request

    def _read(self) -> None:
        try:
            for response in self._call:
                self._news.put(response)
            self._news.put(None)
        except grpc.RpcError as error:
            self._news.put(error)
