"""Sends traces to an OpenTelemetry collector. Needs the extra `otel`."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from quipu_server.tracing import Fact, Metadata

CARRIED = ("traceparent", "tracestate")
FAULTS = frozenset({"INTERNAL", "UNKNOWN", "UNAVAILABLE", "DEADLINE_EXCEEDED", "DATA_LOSS", "UNIMPLEMENTED"})
"""What OpenTelemetry calls an error of a server; others are the caller's."""


class OpenTelemetry:
    """The Tracer. endpoint: of OTLP over gRPC. share: of the traces that begin here; those of callers are theirs."""

    def __init__(self, endpoint: str, share: float, version: str) -> None:
        resource = Resource.create({"service.name": "quipu", "service.version": version})
        self._provider = TracerProvider(ParentBased(TraceIdRatioBased(share)), resource, shutdown_on_exit=False)
        self._provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint, insecure=not endpoint.startswith("https://")))
        )
        self._tracer = self._provider.get_tracer("quipu_server", version)
        self._propagator = TraceContextTextMapPropagator()

    def call(self, method: str, metadata: Metadata) -> Callable[[str], None]:
        carrier = {key: str(value) for key, value in metadata if key in CARRIED}
        service, name = method.strip("/").split("/")
        span = self._tracer.start_span(
            f"{service}/{name}",
            self._propagator.extract(carrier),
            SpanKind.SERVER,
            {"rpc.system": "grpc", "rpc.service": service, "rpc.method": name},
        )
        # Never detached: a call has a task, and so a context, of its own.
        contexts.attach(trace.set_span_in_context(span))

        def end(code: str) -> None:
            span.set_attribute("rpc.grpc.status", code)
            if code in FAULTS:
                span.set_status(StatusCode.ERROR)
            span.end()

        return end

    def span(self, name: str, **facts: Fact) -> AbstractContextManager[object]:
        return self._tracer.start_as_current_span(name, attributes=facts, record_exception=False)

    def close(self) -> None:
        """Send what is left, for some seconds."""
        self._provider.shutdown()
