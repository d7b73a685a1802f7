"""The README's commands, run as they stand."""

import asyncio
import contextlib
import io
import json
import re
import shlex
from pathlib import Path

import pytest
from google.protobuf import json_format

import quipu
from quipu_server.app import Running
from tests.integration.api import Api

pytestmark = pytest.mark.asyncio(loop_scope="session")

README = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")


def fenced(language: str) -> str:
    (code,) = re.findall(rf"```{language}\n(.+?)```", README, re.DOTALL)
    return str(code)


async def test_the_python_lines_print_what_readme_says(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    assert quipu.connect_sync.__defaults__ == ("localhost:50051",)
    monkeypatch.setattr(quipu.connect_sync, "__defaults__", (f"127.0.0.1:{server.port}",))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        await asyncio.to_thread(exec, fenced("python"), {})
    (said,) = re.findall(r"^which prints `(.+)`$", README, re.MULTILINE)
    assert printed.getvalue() == f"{said}\n"


async def test_the_grpcurl_line_is_a_call_the_server_answers(api: Api) -> None:
    (line,) = re.findall(r"^    (grpcurl .+?[^\\])$", README, re.MULTILINE | re.DOTALL)
    program, *options, address, method = shlex.split(line)
    assert (program, options[:2], address) == ("grpcurl", ["-plaintext", "-d"], "localhost:50051")
    service, _, name = method.partition("/")
    assert service == "quipu.v1.MemoryService"
    request = json_format.Parse(options[2], quipu.v1.memory_service_pb2.CreateMemoryRequest())
    answer = await getattr(api.memories, name)(request)
    assert answer.memory.content == json.loads(options[2])["memory"]["content"]
