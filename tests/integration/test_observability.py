"""What an operator sees of a server at work: metrics, traces, logs."""

import asyncio
import json
import re
import socket
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import yaml
from grpc import aio
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import CreateMemoryRequest
from quipu.v1.search_service_pb2 import SearchRequest
from quipu_server.app import running
from quipu_server.cli import run
from quipu_server.cli.scrape import Scrape
from quipu_server.config import Settings
from quipu_server.measuring import Kind
from quipu_server.measuring.metrics import METRICS
from tests.integration.api import Api
from tests.integration.embedding_endpoint import embedding_endpoint
from tests.integration.test_past import as_of
from tests.integration.written_logs import written_logs

pytestmark = pytest.mark.asyncio(loop_scope="session")

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
SECRET = "hunter-seven-zebra"
CONTENT = "xylophone marmalade"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@asynccontextmanager
async def observed(database_url: str, tmp_path: Path, **settings: Any) -> AsyncIterator[tuple[Api, str]]:
    """A server at work, and where its metrics are."""
    port = free_port()
    given = {"port": 0, "database_url": database_url, "snapshot_dir": tmp_path, "metrics_port": port} | settings
    async with running(Settings.model_validate(given)) as started:
        await started.ready()
        async with aio.insecure_channel(f"127.0.0.1:{started.port}") as channel:
            yield Api.over(channel), f"http://127.0.0.1:{port}/metrics"


async def look(url: str) -> str:
    def read() -> str:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return str(answer.read().decode())

    return await asyncio.to_thread(read)


async def read_all(call: aio.UnaryStreamCall[Any, Any]) -> None:
    async for _ in call:
        pass


async def work(api: Api, space: str) -> None:
    """Something of everything: writes, searches in memory and in the database, an error."""
    await api.create(space, "a stone in the river")
    for _ in range(3):
        await api.search(space, text="river")
    await api.search(space, text="river", consistency=as_of(space, 1))
    with pytest.raises(aio.AioRpcError):
        await api.create(space, "")


def named(expression: str) -> set[str]:
    """Names of the metrics of an expression of PromQL."""
    without_labels = re.sub(r"\{[^}]*\}", "", expression)
    return set(re.findall(r"\b(?:quipu|process)_\w+", without_labels))


def expressions() -> Iterator[tuple[str, str]]:
    """Where metrics are named: panels of dashboards, and rules."""
    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "quipu.json").read_text("utf-8"))
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        yield variable["name"], variable.get("definition", "")
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text("utf-8"))["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


async def test_every_metric_of_dashboard_and_alerts_is_in_a_live_scrape(
    database_url: str, space: str, tmp_path: Path
) -> None:
    with embedding_endpoint() as endpoint:
        remote = {"model": "m", "dimension": 8, "endpoints": [{"url": endpoint.url}]}
        async with observed(database_url, tmp_path, embedders={"remote": remote}) as (api, url):
            await work(api, space)
            shown = Scrape.read(await look(url))
    names = {name for name, _ in shown.values}
    wanted = {(where, name) for where, expression in expressions() for name in named(expression)}
    assert len(wanted) > 40
    assert {(where, name) for where, name in wanted if name not in names} == set()
    for metric in METRICS:
        assert (f"{metric.name}_count" if metric.kind is Kind.HISTOGRAM else metric.name) in names


async def test_metrics_say_what_was_done(database_url: str, space: str, tmp_path: Path) -> None:
    async with observed(database_url, tmp_path) as (api, url):
        before = Scrape.read(await look(url))
        await work(api, space)
        now = Scrape.read(await look(url))
    search, create = "/quipu.v1.SearchService/Search", "/quipu.v1.MemoryService/CreateMemory"
    assert now.since(before, "quipu_rpc_seconds_count", method=search, code="OK") == 4
    assert now.since(before, "quipu_rpc_seconds_count", method=create, code="OK") == 1
    assert now.since(before, "quipu_rpc_seconds_count", method=create, code="INVALID_ARGUMENT") == 1
    assert now.since(before, "quipu_errors_total", reason="INVALID_FIELD") == 1
    assert now.since(before, "quipu_revisions_total") == 1
    assert now.since(before, "quipu_search_seconds_count") == 4
    assert now.since(before, "quipu_search_stage_seconds_count", stage="hydrate") == 4
    assert now.since(before, "quipu_search_seconds_count", path="store") >= 1
    assert now.since(before, "quipu_embedding_texts_total", lane="ingest") == 1
    assert now.since(before, "quipu_embedding_query_cache_total", result="miss") == 1
    assert now.since(before, "quipu_embedding_query_cache_total", result="hit") == 3
    assert now.since(before, "quipu_embedding_tokens_total") > 4
    assert now.value("quipu_hot_spaces") == 1
    assert now.value("quipu_hot_bytes") > 0
    assert now.value("quipu_database_ready") == 1
    assert now.value("quipu_pool_limit_connections") == 8
    assert now.value("quipu_rpcs_running") == 0
    assert space not in await asyncio.to_thread(str, now.values)


async def test_top_shows_the_calls(
    database_url: str, space: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with observed(database_url, tmp_path) as (api, url):
        await work(api, space)
        assert await asyncio.to_thread(run, ["top", "--url", url, "--interval", "0.1", "--count", "2"]) == 0
        printed = capsys.readouterr().out
        assert "Search" in printed
        assert "hot spaces" in printed
    assert await asyncio.to_thread(run, ["top", "--url", url, "--count", "1"]) == 1
    assert "--metrics-port" in capsys.readouterr().err


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """An OpenTelemetry collector that keeps spans."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    def Export(self, request: Any, context: Any) -> Any:
        self.spans += [s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()


async def test_a_call_is_traced_within_the_trace_of_its_caller(database_url: str, space: str, tmp_path: Path) -> None:
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(1))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    trace, parent = uuid4().hex, "00f067aa0ba902b7"
    metadata = (("traceparent", f"00-{trace}-{parent}-01"),)
    endpoint = f"http://127.0.0.1:{port}"
    async with observed(database_url, tmp_path, trace_endpoint=endpoint, trace_share=0.0) as (api, _):
        await api.create(space, CONTENT)
        await api.memories.CreateMemory(
            CreateMemoryRequest(parent=space, memory=Memory(content=CONTENT)), metadata=metadata
        )
        await read_all(api.searches.Search(SearchRequest(spaces=[space], text=CONTENT), metadata=metadata))
    server.stop(None).wait()
    assert {span.trace_id.hex() for span in collector.spans} == {trace}
    calls = {span.name: span for span in collector.spans if span.parent_span_id.hex() == parent}
    assert set(calls) == {"quipu.v1.MemoryService/CreateMemory", "quipu.v1.SearchService/Search"}
    search = calls["quipu.v1.SearchService/Search"]
    within = {span.name for span in collector.spans if span.parent_span_id == search.span_id}
    assert {"embed", "freshen", "dense", "lexical", "rank", "hydrate"} <= within
    hydrate = next(span for span in collector.spans if span.name == "hydrate")
    assert [span.name for span in collector.spans if span.parent_span_id == hydrate.span_id] == ["postgresql"]
    assert "embedding" in {span.name for span in collector.spans}
    assert CONTENT not in str(collector.spans)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """What goes to standard error, as in production."""
    with written_logs(monkeypatch) as written:
        yield written


async def test_logs_are_json_with_request_and_tenant_and_without_contents_and_secrets(
    database_url: str, space: str, tmp_path: Path, logged: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise ValueError(f"a library says what it was given: {CONTENT}")

    metadata = (("authorization", f"Bearer {SECRET}"), ("x-request-id", "mine"))
    memory = Memory(content=CONTENT, tags=[CONTENT], speaker=CONTENT)
    memory.metadata["mood"].string_value = CONTENT
    separator = "&" if "?" in database_url else " "
    with_password = f"{database_url}{separator}password={SECRET}"
    async with observed(with_password, tmp_path) as (api, _):
        request = CreateMemoryRequest(parent=space, memory=memory)
        created = await api.memories.CreateMemory(request, metadata=metadata)
        await read_all(api.searches.Search(SearchRequest(spaces=[space], text=CONTENT), metadata=metadata))
        query = SearchRequest(spaces=[space], text=CONTENT, filter=CONTENT)
        with pytest.raises(aio.AioRpcError, match="filter"):
            await read_all(api.searches.Search(query, metadata=metadata))
        monkeypatch.setattr("quipu_server.store.memories.append", fail)
        with pytest.raises(aio.AioRpcError) as caught:
            await api.memories.CreateMemory(request, metadata=metadata)
        assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert created.memory.content == CONTENT
    text = logged()
    for hidden in (CONTENT, "marmalade", SECRET):
        assert hidden not in text
    lines = [json.loads(line) for line in text.splitlines()]
    calls = [line for line in lines if line["event"] == "call"]
    assert [line["code"] for line in calls] == ["OK", "OK", "INVALID_ARGUMENT", "INTERNAL"]
    assert {(line["request"], line["tenant"]) for line in calls} == {("mine", "default")}
    assert "builtins.ValueError" in calls[-1]["exception"]
    assert "test_observability.py" in calls[-1]["exception"]
