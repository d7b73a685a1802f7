"""`quipu watch`."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from quipu.v1.memory_pb2 import Memory, MemoryChange, MemoryRevision
from quipu.v1.memory_service_pb2 import WatchedChange, WatchMemoriesResponse
from tests.unit.cli.conftest import Notebook, Run
from tests.unit.fake_server import FakeServer, abort


def changes(server: FakeServer) -> Iterator[WatchMemoriesResponse]:
    """Two changes, and then the end of the space."""
    for revision, left in ((1, False), (2, True)):
        memory = Memory(name="spaces/ann/memories/m", content=f"two\nlines \x1b[2J{revision}")
        made = MemoryRevision(revision=revision, change=MemoryChange.MEMORY_CHANGE_UPDATED, memory=memory)
        yield WatchMemoriesResponse(space="spaces/ann", changes=[WatchedChange(revision=made, left=left)], revision=1)
    abort(server, "NOT_FOUND", "spaces/ann does not exist", ErrorInfo(reason="SPACE_NOT_FOUND", domain="quipu"))


def holding(server: FakeServer) -> Iterator[WatchMemoriesResponse]:
    yield next(changes(server))
    while server.context.is_active():
        time.sleep(0.005)


@pytest.fixture
def watched(notebook: Notebook) -> Notebook:
    notebook.server.answers["WatchMemories"] = lambda _: changes(notebook.server)
    return notebook


def test_a_change_is_a_line(watched: Notebook, quipu: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert quipu("watch", "--space", "ann", "--after", "0", "--filter", "tags = 'x'") == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "      1  updated    ann/m  two lines \ufffd[2J1",
        "      2  left       ann/m  two lines \ufffd[2J2",
    ]
    assert err == "Error: spaces/ann does not exist\n"
    request: Any = watched.server.requests[0]
    assert (request.spaces, request.after_revisions, request.filter) == (
        ["spaces/ann"],
        {"spaces/ann": 0},
        "tags = 'x'",
    )


def test_json_has_everything(watched: Notebook, quipu: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert quipu("watch", "--space", "ann", "--space", "bo", "--json") == 1
    first, second = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (first["space"], first["revision"], first["change"], first["left"]) == ("spaces/ann", 1, "updated", False)
    assert first["memory"] == {"id": "m", "name": "spaces/ann/memories/m", "content": "two\nlines \x1b[2J1"}
    assert second["left"] is True
    assert quipu("watch", "--space", "ann", "--after", second["token"]) == 1
    assert dict(watched.server.requests[1].after_revisions) == {"spaces/ann": 2}
    assert quipu("watch", "--space", "ann", "--after", "nonsense") == 1
    assert "after: is neither revisions nor the token of a watch" in capsys.readouterr().err
    assert list(watched.server.requests[0].spaces) == ["spaces/ann", "spaces/bo"]


QUIPU = """
import signal, sys
from quipu_server.cli import run
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.exit(run(sys.argv[1:]))
"""
"""`quipu` that can be interrupted, also where shells let their background jobs ignore it."""


def test_ctrl_c_ends_it(notebook: Notebook) -> None:
    notebook.server.answers["WatchMemories"] = lambda _: holding(notebook.server)
    command = [sys.executable, "-c", QUIPU, "watch", "--address", notebook.server.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "updated" in process.stdout.readline()
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")
