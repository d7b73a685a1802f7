"""Metrics are shown as they are measured."""

import asyncio
import socket
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Any

import pytest

from quipu_server.cli.scrape import Scrape
from quipu_server.errors import StartupError
from quipu_server.exposition import Exposition
from quipu_server.measuring import Distribution, Measurements, Sample
from quipu_server.measuring.distribution import BOUNDS_S
from quipu_server.measuring.metrics import METRICS, Kind


def text_of(samples: Iterable[Sample]) -> str:
    """As Prometheus reads it, without a server."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.registry import Collector

    from quipu_server import exposition

    class Fixed(Collector):
        def collect(self) -> Iterable[Any]:
            return exposition.families(list(samples))

    registry = CollectorRegistry()
    registry.register(Fixed())
    return generate_latest(registry).decode()


def test_what_is_noted_is_shown() -> None:
    meter = Measurements("1.2.3")
    for seconds in (0.0004, 0.004, 0.004, 99.0):
        meter.call_began()
        meter.call_ended("/quipu.v1.S/M", "OK", seconds)
    meter.call_began()
    meter.failed("OVERLOADED")
    meter.searched("hot", {"dense": 0.002}, 0.003)
    shown = Scrape.read(text_of(meter.samples()))
    assert shown.value("quipu_rpc_seconds_count", method="/quipu.v1.S/M", code="OK") == 4
    assert shown.value("quipu_rpc_seconds_sum") == pytest.approx(99.0084)
    assert shown.value("quipu_rpc_seconds_bucket", le="0.005") == 3
    assert shown.value("quipu_rpc_seconds_bucket", le="30") == 3
    assert shown.value("quipu_rpc_seconds_bucket", le="+Inf") == 4
    assert shown.value("quipu_rpcs_running") == 1
    assert shown.value("quipu_errors_total", reason="OVERLOADED") == 1
    assert shown.value("quipu_search_stage_seconds_count", path="hot", stage="dense") == 1
    assert shown.value("quipu_info", version="1.2.3") == 1


def test_a_value_at_a_bound_belongs_below_it() -> None:
    distribution = Distribution()
    for bound in BOUNDS_S:
        distribution.add(bound)
    assert distribution.counts == [1] * len(BOUNDS_S) + [0]
    assert distribution.count == len(BOUNDS_S)


def test_names_say_what_they_are() -> None:
    names = [metric.name for metric in METRICS]
    assert len(set(names)) == len(names)
    for metric in METRICS:
        assert metric.name.startswith("quipu_")
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
        assert metric.name.endswith("_seconds") or metric.kind is not Kind.HISTOGRAM
        assert metric.meaning.endswith(".")


def test_changes_and_quantiles_are_told_from_two_looks() -> None:
    meter = Measurements()
    meter.searched("hot", {}, 0.003)
    before = Scrape.read(text_of(meter.samples()))
    for _ in range(100):
        meter.searched("hot", {}, 0.02)
    now = Scrape.read(text_of(meter.samples()))
    assert now.since(before, "quipu_search_seconds_count") == 100
    assert 0.01 < (now.quantile(before, "quipu_search_seconds", 0.5) or 0) <= 0.025
    assert now.quantile(now, "quipu_rpc_seconds", 0.5) is None


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartupError, match=f"127.0.0.1:{port}.*--metrics-port"):
            Exposition([], lambda: True).start("127.0.0.1", port)


def look(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


async def test_metrics_are_read_on_the_loop_and_readiness_is_told() -> None:
    meter = Measurements("1")
    ready = [False]
    exposition = Exposition([meter], lambda: ready[0])
    exposition.start("127.0.0.1", 0)
    url = f"http://127.0.0.1:{exposition.port}"
    try:
        _, text = await asyncio.to_thread(look, f"{url}/metrics")
        assert await asyncio.to_thread(look, f"{url}/ready") == (503, "not ready\n")
        ready[0] = True
        assert await asyncio.to_thread(look, f"{url}/ready") == (200, "ready\n")
    finally:
        await exposition.stop()
    for metric in METRICS:
        assert f"# TYPE {metric.name.removesuffix('_total')}" in text
    assert "process_resident_memory_bytes" in text
