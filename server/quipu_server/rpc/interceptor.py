"""What happens around every call: readiness, deadline, errors, request id, one line of log."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import grpc
import structlog
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from quipu_server.errors import DeadlineExceeded, InvalidArgument, QuipuError, Unavailable
from quipu_server.rpc.status import build_status, grpc_code

log = structlog.get_logger("quipu.rpc")
REQUEST_ID = "x-request-id"
OWN = "/quipu."
LONGEST_REQUEST_ID = 128
DEADLINE_MARGIN_S = 0.001


@dataclass(frozen=True, slots=True)
class Limits:
    """Deadlines in seconds."""

    default_deadline_s: float
    longest_deadline_s: float


@dataclass(frozen=True, slots=True)
class Malformed:
    """Stands for a request whose bytes are no message."""

    reason: str


class Interceptor(grpc.aio.ServerInterceptor):
    """Wraps the handlers of this project's services."""

    def __init__(self, limits: Limits, is_ready: Callable[[], bool]) -> None:
        self._limits = limits
        self._is_ready = is_ready

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        handler = await continuation(handler_call_details)
        method: str = handler_call_details.method
        if handler is None or not method.startswith(OWN):
            return handler
        decode = safe_decoder(handler.request_deserializer)
        if handler.unary_stream is not None:
            wrapped = self._wrap_stream(handler.unary_stream, method)
            return grpc.unary_stream_rpc_method_handler(wrapped, decode, handler.response_serializer)
        wrapped_unary = self._wrap_unary(handler.unary_unary, method)
        return grpc.unary_unary_rpc_method_handler(wrapped_unary, decode, handler.response_serializer)

    def _wrap_unary(self, behaviour: Callable[..., Awaitable[Any]], method: str) -> Callable[..., Awaitable[Any]]:
        async def call(request: Any, context: Any) -> Any:
            async with self._around(request, context, method):
                return await behaviour(request, context)

        return call

    def _wrap_stream(self, behaviour: Callable[..., AsyncIterator[Any]], method: str) -> Callable[..., Awaitable[None]]:
        async def call(request: Any, context: Any) -> None:
            async with self._around(request, context, method):
                async for part in behaviour(request, context):
                    await context.write(part)

        return call

    @asynccontextmanager
    async def _around(self, request: Any, context: Any, method: str) -> AsyncIterator[None]:
        """Check before the call, translate its errors, log it."""
        started = time.perf_counter()
        request_id = read_request_id(context)
        context.set_trailing_metadata(((REQUEST_ID, request_id),))
        code = grpc.StatusCode.OK
        try:
            self._check(request)
            async with asyncio.timeout(self._deadline_s(context)):
                yield
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception as raised:
            error = translate(raised, request_id)
            code = grpc_code(error)
            await context.abort_with_status(rpc_status.to_status(build_status(error)))
        finally:
            duration_ms = round((time.perf_counter() - started) * 1e3, 2)
            log.info("call", method=method, code=code.name, ms=duration_ms, request=request_id)

    def _check(self, request: Any) -> None:
        if not self._is_ready():
            raise Unavailable("the server is starting or stopping; try again")
        if isinstance(request, Malformed):
            raise InvalidArgument("request", f"is no valid message: {request.reason}")

    def _deadline_s(self, context: Any) -> float:
        """Time left, within the limits of the server, a little less than the client's so that it hears from us."""
        left: float | None = context.time_remaining()
        if left is None:
            return self._limits.default_deadline_s
        return max(min(left - DEADLINE_MARGIN_S, self._limits.longest_deadline_s), 0.0)


def safe_decoder(decode: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """A decoder that answers with Malformed instead of raising, so that the client is told what is wrong."""

    def decode_safely(content: bytes) -> Any:
        try:
            return decode(content)
        except (DecodeError, UnicodeDecodeError, ValueError) as error:
            return Malformed(str(error)[:200])

    return decode_safely


def read_request_id(context: Any) -> str:
    """The id the client gave the call, or a new one."""
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID and isinstance(value, str) and value.isprintable():
            return value[:LONGEST_REQUEST_ID]
    return uuid4().hex


def translate(error: Exception, request_id: str) -> QuipuError:
    """The error as a client may see it; what is not expected goes to the log with its traceback."""
    if isinstance(error, QuipuError):
        return error
    if isinstance(error, TimeoutError):
        return DeadlineExceeded("the deadline passed")
    log.error("unexpected_error", request=request_id, exc_info=error)
    return QuipuError(f"an unexpected error; the log has it under {request_id}", metadata={"request": request_id})
