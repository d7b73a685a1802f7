"""Finding and starting a local server."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

import quipu

LOCAL_SERVER = str(Path(__file__).with_name("local_server.py"))


@pytest.fixture(autouse=True)
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quipu.server._program", lambda: [sys.executable, LOCAL_SERVER])


def serves(address: str) -> bool:
    with grpc.insecure_channel(address) as channel:
        health: Any = HealthStub(channel)
        try:
            return bool(health.Check(HealthCheckRequest(), timeout=1).status == HealthCheckResponse.SERVING)
        except grpc.RpcError:
            return False


def test_a_server_is_started_and_stopped(tmp_path: Path) -> None:
    with quipu.Server.ensure_running(tmp_path / "data") as server:
        assert serves(server.address)
    assert not serves(server.address)


def test_a_running_server_is_found_and_left_running(tmp_path: Path) -> None:
    with quipu.Server.ensure_running(tmp_path) as first:
        with quipu.Server.ensure_running(tmp_path) as second:
            assert second.address == first.address
        assert serves(first.address)


def test_many_who_start_at_once_get_one_server(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        servers = list(pool.map(quipu.Server.ensure_running, [tmp_path] * 4))
    assert len({server.address for server in servers}) == 1
    for server in servers:
        server.close()
    assert not serves(servers[0].address)


def test_the_traces_of_a_killed_server_do_not_count(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (tmp_path / "server.json").write_text(json.dumps({"pid": dead.pid, "address": "127.0.0.1:1"}))
    with quipu.Server.ensure_running(tmp_path) as server:
        assert serves(server.address)


def test_a_server_that_fails_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(quipu.ServerError, match=r"(?s)ended with code 1.*the data directory is in use: stop the other"):
        quipu.Server.ensure_running(tmp_path, options=["--fail"])


def test_a_server_is_stopped_when_its_starter_exits(tmp_path: Path) -> None:
    program = (
        "import sys, quipu, quipu.server\n"
        f"quipu.server._program = lambda: [sys.executable, {LOCAL_SERVER!r}]\n"
        f"print(quipu.Server.ensure_running({str(tmp_path)!r}).address)"
    )
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert output
    assert not serves(output.strip())
