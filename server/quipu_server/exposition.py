"""Shows metrics to Prometheus, on a port of their own."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector

from quipu_server.errors import StartupError
from quipu_server.measuring import Distribution, Kind, Sample, Source
from quipu_server.measuring.distribution import BOUNDS_S
from quipu_server.measuring.metrics import METRICS

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PATIENCE_S = 5.0
"""How long a look waits for the event loop; Prometheus gives up after 10 s by default."""

_BUCKETS = [*(f"{bound:g}" for bound in BOUNDS_S), "+Inf"]
_FAMILIES = {Kind.COUNTER: CounterMetricFamily, Kind.GAUGE: GaugeMetricFamily, Kind.HISTOGRAM: HistogramMetricFamily}


class Quiet(WSGIRequestHandler):
    """Logs nothing: looks are many."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Exposition(Collector):
    """Serves `/metrics` from a thread; the values are read on the event loop that made it, so that they agree.

    `/ready` answers 200 while the server serves and 503 else, for who cannot ask by gRPC.
    """

    def __init__(self, sources: Sequence[Source], is_ready: Callable[[], bool]) -> None:
        self._sources = sources
        self._is_ready = is_ready
        self._loop = asyncio.get_running_loop()

    def start(self, host: str, port: int) -> None:
        """Listen. Raises StartupError when the address cannot be had."""
        registry = CollectorRegistry()
        registry.register(self)
        ProcessCollector(registry=registry)
        metrics: WSGIApplication = make_wsgi_app(registry)

        def answer(environment: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
            if environment["PATH_INFO"] != "/ready":
                return metrics(environment, start)
            ready = self._is_ready()
            start("200 OK" if ready else "503 Service Unavailable", [("Content-Type", "text/plain")])
            return [b"ready\n" if ready else b"not ready\n"]

        try:
            self._server = make_server(host, port, answer, ThreadingWSGIServer, Quiet)
        except (OSError, OverflowError) as error:
            raise StartupError(
                f"cannot show metrics on {host}:{port}: {error}; choose another --metrics-port"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    async def stop(self) -> None:
        """Listen no more."""
        await asyncio.to_thread(self._server.shutdown)
        self._server.server_close()
        await asyncio.to_thread(self._thread.join)

    def describe(self) -> Iterable[Family]:
        """All families without values: so that registering asks for none."""
        return [_FAMILIES[metric.kind](metric.name, metric.meaning) for metric in METRICS]

    def collect(self) -> Iterable[Family]:
        """All families, those without values included. Called in a thread."""
        return families(asyncio.run_coroutine_threadsafe(self._read(), self._loop).result(PATIENCE_S))

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    async def _read(self) -> Sequence[Sample]:
        return [_frozen(sample) for source in self._sources for sample in source.samples()]


def families(samples: Iterable[Sample]) -> Iterable[Family]:
    """All metrics with their samples, for the library."""
    made = {m.name: _FAMILIES[m.kind](m.name, m.meaning, labels=m.labels) for m in METRICS}
    for metric, value, labels in samples:
        _add(made[metric.name], value, labels)
    return made.values()


def _frozen(sample: Sample) -> Sample:
    """The sample with a value that nobody changes any more."""
    if not isinstance(sample.value, Distribution):
        return sample
    copy = Distribution()
    copy.counts, copy.total = list(sample.value.counts), sample.value.total
    return sample._replace(value=copy)


def _add(family: Family, value: float | Distribution, labels: Sequence[str]) -> None:
    if isinstance(value, Distribution):
        assert isinstance(family, HistogramMetricFamily)
        buckets = list(zip(_BUCKETS, accumulate(value.counts), strict=True))
        family.add_metric(labels, buckets, value.total)
    else:
        assert isinstance(family, CounterMetricFamily | GaugeMetricFamily)
        family.add_metric(labels, value)
