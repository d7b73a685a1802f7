"""What makes a server visible: metrics and traces, as far as the settings ask for them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from quipu_server import __version__, tracing
from quipu_server.config import Settings
from quipu_server.errors import StartupError
from quipu_server.measuring import Source

log = structlog.get_logger("quipu")


@asynccontextmanager
async def observed(settings: Settings, sources: Sequence[Source], is_ready: Callable[[], bool]) -> AsyncIterator[None]:
    """Show metrics and readiness, and send traces, meanwhile. Raises StartupError."""
    async with AsyncExitStack() as stack:
        if settings.trace_endpoint:
            stack.push_async_callback(asyncio.to_thread, _begin_traces(settings))
            stack.callback(tracing.install, None)
        if settings.metrics_port:
            from quipu_server.exposition import Exposition

            exposition = Exposition(sources, is_ready)
            exposition.start(settings.metrics_host, settings.metrics_port)
            stack.push_async_callback(exposition.stop)
            log.info("metrics", host=settings.metrics_host, port=settings.metrics_port)
        yield


def _begin_traces(settings: Settings) -> Callable[[], None]:
    """Trace from now on; what is returned sends the rest."""
    try:
        from quipu_server.telemetry import OpenTelemetry
    except ImportError as error:
        raise StartupError("trace_endpoint needs OpenTelemetry: pip install 'quipu-server[otel]'") from error
    tracer = OpenTelemetry(settings.trace_endpoint, settings.trace_share, __version__)
    tracing.install(tracer)
    return tracer.close
