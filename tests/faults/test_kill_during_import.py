"""The server is killed while a file is imported: what was acknowledged stays, and nothing comes twice."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import quipu

SPACE = "notes"
LINES = [f"Note {number}: the lamp of ship {number * 7919 % 1500} was lit." for number in range(1_500)]
KILLS = 3
LAST_KILL = 1_000
"""Memories after which no more kill comes, so that each comes before the end."""


def test_every_line_is_stored_once_after_three_kills(tmp_path: Path) -> None:
    """A server is killed three times while a file is imported: each line is there once in the end."""
    file, home = tmp_path / "notes.jsonl", tmp_path / "data"
    file.write_text("".join(json.dumps({"content": line}) + "\n" for line in LINES), "utf-8")
    for stored in sorted(random.sample(range(1, LAST_KILL), KILLS)):
        with quipu.Server.ensure_running(home) as server, importing(file, server.address) as importer:
            wait_until_stored(server.address, stored)
            # Somewhere within the work on a batch.
            time.sleep(random.uniform(0.0, 0.2))
            kill_server(home)
            assert importer.wait(timeout=30) != 0
    with quipu.Server.ensure_running(home) as server:
        with importing(file, server.address) as importer:
            assert importer.wait(timeout=30) == 0
        with quipu.connect_sync(server.address, space=SPACE) as client:
            assert sorted(memory.content for memory in client.list()) == sorted(LINES)
            assert client.get_space(SPACE).revision == len(LINES)


@contextmanager
def importing(file: Path, address: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`quipu import` of a file, as another program."""
    command = [sys.executable, "-m", "quipu_server", "import", str(file), "--space", SPACE, "--address", address]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until_stored(address: str, count: int) -> None:
    """Wait until the space has so many memories."""
    deadline = time.monotonic() + 30
    with quipu.connect_sync(address, space=SPACE) as client:
        while stored_count(client) < count:
            assert time.monotonic() < deadline, "the import makes no progress"
            time.sleep(0.01)


def stored_count(client: quipu.SyncClient) -> int:
    """Memories in the space; 0 while there is none."""
    try:
        return client.get_space(SPACE).memory_count
    except quipu.NotFound:
        return 0


def kill_server(home: Path) -> None:
    """End the server of a data directory at once, without a chance to write anything."""
    os.kill(json.loads((home / "server.json").read_text("utf-8"))["pid"], signal.SIGKILL)
