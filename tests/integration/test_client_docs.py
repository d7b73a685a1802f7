"""The pages about the Python client and its adapters, run from their first lines to their last."""

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

DOCS = Path(__file__).resolve().parents[2] / "docs"


def run(code: str, names: dict[str, Any]) -> None:
    """Run a piece of the page in a thread without an event loop; `await` may stand at its outermost level."""
    compiled = compile(code, "page.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(compiled, names)
    if inspect.iscoroutine(result):
        asyncio.run(result)


async def printed(page: str, server: Running, directory: Path, names: dict[str, Any]) -> list[str]:
    """The lines that a page prints when it is run from its first line to its last."""
    output = io.StringIO()
    pieces = re.findall(r"```python\n(.+?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    with contextlib.redirect_stdout(output):
        for piece in pieces:
            code = piece.replace("localhost:50051", f"127.0.0.1:{server.port}")
            await asyncio.to_thread(run, code.replace("/tmp/quipu-example", str(directory)), names)
    return output.getvalue().splitlines()


async def test_the_page_of_the_client_runs_and_prints(server: Running, tmp_path: Path) -> None:
    names = dict[str, Any]()
    lines = await printed("clients/python.md", server, tmp_path, names)
    names["memories"].close()
    for expected in (
        "spaces/ann/memories/cat 2",
        "250 memory.content: must not be empty",
        "MEMORY_NOT_FOUND spaces/ann/memories/nothing",
        "['memory.importance']",
        "2 created We adopted a cat. Her name is Miso.",
    ):
        assert expected in lines
    assert any(re.fullmatch(r"\(1, 384\) \[2\] models/\S+", line) for line in lines)


async def test_the_page_of_conversations_runs_and_prints(server: Running, tmp_path: Path) -> None:
    lines = await printed("conversations.md", server, tmp_path, {})
    for expected in (
        "1 Which pets do I have?",
        "3 25 [(1, 2), (2, 1)]",
        "spaces/carol/sessions/monday",
        "3 25 False",
        "* A cat called Miso, and a parrot that swears.",
        "  The parrot is called Coco.",
        "[1] Ann: Which pets do I have?",
        "SESSION_ENDED",
        "3",
    ):
        assert expected in lines


async def test_the_page_of_the_adapters_runs_and_prints(server: Running, tmp_path: Path) -> None:
    names = dict[str, Any]()
    lines = await printed("adapters.md", server, tmp_path, names)
    names["client"].close()
    assert "page_content='Miso is a cat.'" in lines[0]
    assert lines[1:] == [
        "('users', 'ann') 1 Ann is allergic to peanuts.",
        "[('users', 'ann')]",
        "cat Miso is a cat.",
    ]
