"""The page about the Python client, run from its first line to its last."""

import ast
import asyncio
import contextlib
import inspect
import io
import re
from pathlib import Path
from typing import Any

import pytest

from quipu_server.app import Running

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "clients" / "python.md").read_text("utf-8")


def run(code: str, names: dict[str, Any]) -> None:
    """Run a piece of the page in a thread without an event loop; `await` may stand at its outermost level."""
    compiled = compile(code, "python.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(compiled, names)
    if inspect.iscoroutine(result):
        asyncio.run(result)


async def test_the_page_runs_and_prints(server: Running, tmp_path: Path) -> None:
    printed, names = io.StringIO(), dict[str, Any]()
    pieces = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)
    with contextlib.redirect_stdout(printed):
        for piece in pieces:
            code = piece.replace("localhost:50051", f"127.0.0.1:{server.port}")
            await asyncio.to_thread(run, code.replace("/tmp/quipu-example", str(tmp_path)), names)
    names["memories"].close()
    lines = printed.getvalue().splitlines()
    for expected in (
        "spaces/ann/memories/cat 2",
        "250 stored",
        "MEMORY_NOT_FOUND spaces/ann/memories/nothing",
        "['memory.importance']",
    ):
        assert expected in lines
    assert any(re.fullmatch(r"\(1, 384\) \[2\] models/\S+", line) for line in lines)
    assert "page_content='Miso is a cat.'" in lines[-1]
