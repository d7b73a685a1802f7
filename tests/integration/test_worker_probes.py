"""What Kubernetes asks of `quipu worker` (deploy/helm), and what it is answered."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

START_S = 60.0


@contextmanager
def worker(folder: Path, database_url: str) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """A worker with the environment of its pod, and the address of its probes."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = int(listening.getsockname()[1])
    (folder / "url").write_text(database_url, "utf-8")
    pod = {"QUIPU_DATABASE_URL": f"file:{folder / 'url'}", "QUIPU_METRICS_PORT": str(port), "QUIPU_JOB_WORKERS": "1"}
    command = [sys.executable, "-m", "quipu_server", "worker"]
    with subprocess.Popen(command, env=os.environ | pod, stderr=subprocess.DEVNULL) as process:
        try:
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.kill()


def status(url: str) -> int:
    """What HTTP answers; 0 while nothing listens."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except urllib.error.URLError:
        return 0


async def becomes(url: str, wanted: int) -> None:
    async with asyncio.timeout(START_S):
        while await asyncio.to_thread(status, url) != wanted:  # noqa: ASYNC110  -- a process changes it
            await asyncio.sleep(0.05)


async def test_a_worker_is_ready_with_its_database_and_ends_when_it_is_told(tmp_path: Path, database_url: str) -> None:
    with worker(tmp_path, database_url) as (process, address):
        await becomes(f"{address}/ready", 200)
        assert await asyncio.to_thread(status, f"{address}/metrics") == 200
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, START_S) == 0


async def test_a_worker_without_its_database_lives_and_is_not_ready(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with worker(tmp_path, f"postgresql://nobody@127.0.0.1:{port}/none") as (process, address):
        await becomes(f"{address}/ready", 503)
        assert process.poll() is None
