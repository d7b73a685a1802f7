"""What happens around every call: its id, readiness, its deadline, its errors, and one line in the log."""

import asyncio
import logging
import os
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import grpc
import structlog
from google.protobuf.message import DecodeError, Message
from grpc import StatusCode, aio
from grpc_status import rpc_status

from quipu_server import tracing
from quipu_server.access.domain import caller, caller_or_nobody
from quipu_server.errors import DeadlineExceeded, InvalidArgument, Overloaded, QuipuError, Unavailable
from quipu_server.logs import CALL
from quipu_server.measuring import Measurements, Meter
from quipu_server.rpc.caller import Context
from quipu_server.rpc.status import make_status

REQUEST_ID = "x-request-id"
PACKAGE = "/quipu."

ENDLESS = frozenset(
    f"/quipu.v1.{name}"
    for name in ("MemoryService/IngestMemories", "MemoryService/WatchMemories", "RetentionService/RunRetention")
)
"""Methods that end when their callers want it, or when what they follow has ended."""

_REQUEST_ID = re.compile(r"[!-~]{1,128}")

LetIn: TypeAlias = Callable[[str, Context], Awaitable[None]]
"""Lets the caller of a method in, or raises."""
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Parse: TypeAlias = Callable[[bytes], Message]
Unary: TypeAlias = Callable[[Any, Context], Awaitable[Message]]
Stream: TypeAlias = Callable[[Any, Context], AsyncGenerator[Message, None]]
Exchange: TypeAlias = Callable[[AsyncIterator[Any], Context], AsyncGenerator[Message, None]]

log = structlog.get_logger("quipu.rpc")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds a call may take: without a deadline of its own, and at most."""

    default_s: float
    longest_s: float

    def limit(self, method: str, remaining_s: float | None) -> float | None:
        """Seconds left for a call, None for any number. Raises DeadlineExceeded when there are none."""
        if remaining_s is not None and remaining_s <= 0:
            raise DeadlineExceeded("the deadline of the request has passed")
        if method in ENDLESS:
            return remaining_s
        return self.default_s if remaining_s is None else min(remaining_s, self.longest_s)


class CallInterceptor(aio.ServerInterceptor):
    """Wraps the handlers of the services of this project: health, and others unless guarded, answer at any time."""

    def __init__(
        self,
        deadlines: Deadlines,
        is_ready: Callable[[], bool],
        let_in: LetIn,
        *,
        guarded: frozenset[str] = frozenset(),
        most_calls: int,
        meter: Meter | None = None,
    ) -> None:
        """guarded: methods of other services that are wrapped as well. most_calls: at once; with too many, each would
        wait longer for its turn than callers do."""
        self._deadlines = deadlines
        self._is_ready = is_ready
        self._meter = meter or Measurements()
        self._let_in = let_in
        self._guarded = guarded
        self._most_calls = most_calls
        self._handlers: dict[str, Handler] = {}
        self._running = 0

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        method = handler_call_details.method
        if (wrapped := self._handlers.get(method)) is not None:
            return wrapped
        handler = await continuation(handler_call_details)
        if handler is None or not (method.startswith(PACKAGE) or method in self._guarded):
            return handler
        return self._handlers.setdefault(method, self._wrap(method, handler))

    def _wrap(self, method: str, handler: Handler) -> Handler:
        """A handler that takes bytes, as requests that cannot be read are errors to be mapped like others."""
        parse: Parse = cast(Parse, handler.request_deserializer)
        if handler.request_streaming:
            exchange = self._wrap_exchange(method, parse, cast(Exchange, handler.stream_stream))
            return grpc.stream_stream_rpc_method_handler(exchange, None, handler.response_serializer)
        if handler.response_streaming:
            stream = self._wrap_stream(method, parse, cast(Stream, handler.unary_stream))
            return grpc.unary_stream_rpc_method_handler(stream, None, handler.response_serializer)
        unary = self._wrap_unary(method, parse, cast(Unary, handler.unary_unary))
        return grpc.unary_unary_rpc_method_handler(unary, None, handler.response_serializer)

    def _wrap_unary(self, method: str, parse: Parse, answer: Unary) -> Callable[[bytes, Context], Awaitable[Message]]:
        async def call(content: bytes, context: Context) -> Message:
            async with self._call(method, context):
                return await answer(_parse(parse, content), context)

        return call

    def _wrap_stream(self, method: str, parse: Parse, answer: Stream) -> Callable[[bytes, Context], Awaitable[None]]:
        async def call(content: bytes, context: Context) -> None:
            async with self._call(method, context), aclosing(answer(_parse(parse, content), context)) as messages:
                async for message in messages:
                    await context.write(message)

        return call

    def _wrap_exchange(
        self, method: str, parse: Parse, answer: Exchange
    ) -> Callable[[AsyncIterator[bytes], Context], Awaitable[None]]:
        async def call(contents: AsyncIterator[bytes], context: Context) -> None:
            async with self._call(method, context):
                requests = (
                    _parse(parse, content) async for content in contents
                )  # not for those refused: it begins to read
                async with aclosing(answer(requests, context)) as messages:
                    async for message in messages:
                        await context.write(message)

        return call

    @asynccontextmanager
    async def _call(self, method: str, context: Context) -> AsyncIterator[None]:
        """Everything around the work of one call."""
        started = time.perf_counter()
        request_id = _request_id(context)
        context.set_trailing_metadata(((REQUEST_ID, request_id),))
        code, defect, status = StatusCode.OK, None, None
        CALL.set((request_id, ""))
        self._running += 1
        self._meter.call_began()
        end_span = tracing.begin_call(method, context.invocation_metadata)
        try:
            self._admit()
            async with _limited(self._deadlines.limit(method, context.time_remaining())):
                await self._let_in(method, context)
                CALL.set((request_id, caller().tenant))
                yield
        except asyncio.CancelledError:
            code = StatusCode.CANCELLED
            raise
        except Exception as error:
            status = rpc_status.to_status(make_status(error, request_id))
            code = status.code
            defect = error if code is StatusCode.INTERNAL else None
            self._meter.failed(error.reason if isinstance(error, QuipuError) else "INTERNAL")
        finally:
            self._running -= 1
            seconds = time.perf_counter() - started
            self._meter.call_ended(method, code.name, seconds)
            end_span(code.name)
            log.log(
                logging.ERROR if defect else logging.INFO,
                "call",
                method=method,
                code=code.name,
                ms=round(seconds * 1e3, 3),
                request=request_id,
                tenant=who.tenant if (who := caller_or_nobody()) else "",
                key=who.key_id if who else "",
                exc_info=defect,
            )
        if status is not None:  # only now, so that the log has whatever a caller was told
            await context.abort(code, status.details, (*status.trailing_metadata, (REQUEST_ID, request_id)))

    def _admit(self) -> None:
        if not self._is_ready():
            raise Unavailable("the server is starting or stopping; try again in a moment")
        if self._running > self._most_calls:
            raise Overloaded(f"{self._most_calls:,} calls are running; try again in a moment")


@asynccontextmanager
async def _limited(limit_s: float | None) -> AsyncIterator[None]:
    """Cancel what runs longer. Raises DeadlineExceeded."""
    timeout = asyncio.timeout(limit_s)
    try:
        async with timeout:
            yield
    except TimeoutError as error:
        if not timeout.expired():
            raise
        raise DeadlineExceeded(f"the call took more than {limit_s:.3f} s") from error


def _parse(parse: Parse, content: bytes) -> Message:
    """The request in some bytes. Raises InvalidArgument when they are none, as when text is not UTF-8."""
    try:
        return parse(content)
    except DecodeError as error:
        raise InvalidArgument("request", f"cannot be read; is all text valid UTF-8? {error}") from None


def _request_id(context: Context) -> str:
    """The id the caller gave the call, if it is one to put into a log, or a new one."""
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID and _REQUEST_ID.fullmatch(text := str(value)):
            return text
    return os.urandom(16).hex()
