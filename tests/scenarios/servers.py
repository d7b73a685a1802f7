"""Three servers on one database, as processes: the first with hot indexes, the second answers from the store and guards
what is written, the third lets nobody in without a key."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from quipu import is_serving
from quipu_server.store import EmbeddedPostgres

START_S = 60.0
STOP_S = 30.0
POLL_S = 0.05
MASTER_KEY = "the-master-key-of-the-scenarios"


LOADER = """
import sys
import quipu_server.app, uvloop
from quipu_server.cli import run
print("loaded", flush=True)
sys.stdin.readline()
sys.exit(run(sys.argv[1:]))
"""
"""`quipu`, which loads its code first and then waits for a line: clients try again for some 9 s, and loading may take
longer on a busy machine."""


class ServerProcess:
    """`quipu serve`; after a restart it has the same address."""

    def __init__(self, home: Path, database_url: str, options: Sequence[str] = (), **secrets: str) -> None:
        """secrets: settings that are no flags, by their variables."""
        home.mkdir()
        self._secrets: Mapping[str, str] = secrets
        self._home = home
        self._options = ["--data-dir", str(home), "--database-url", database_url, *options]
        self._process = self._load(port=0)
        self._release()
        self.address = self._wait()

    def restart(self) -> None:
        """Stop, and start again; at the end it has stopped and is not back yet."""
        successor = self._load(port=int(self.address.rpartition(":")[2]))
        self.stop()
        self._process = successor
        self._release()

    def kill(self) -> None:
        """End it at once, without a chance to write anything."""
        self._process.kill()
        self._process.wait()

    def start_again(self) -> None:
        """Start after a kill, at the same address; it need not serve yet at the end."""
        self._process = self._load(port=int(self.address.rpartition(":")[2]))
        self._release()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def _load(self, port: int) -> "subprocess.Popen[bytes]":
        """A server that will start when it is released."""
        command = [sys.executable, "-c", LOADER, "serve", "--port", str(port), *self._options]
        environment = {**os.environ, **self._secrets}
        with (self._home / "server.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment
            )
        assert process.stdout is not None
        with process.stdout as output:
            output.readline()
        return process

    def _release(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.close()

    def _wait(self) -> str:
        """Wait until it serves; return its address."""
        deadline, state = time.monotonic() + START_S, self._home / "server.json"
        while time.monotonic() < deadline and self._process.poll() is None:
            if state.exists() and is_serving(address := str(json.loads(state.read_text("utf-8"))["address"])):
                return address
            time.sleep(POLL_S)
        self._process.kill()
        raise RuntimeError(f"the server did not start:\n{(self._home / 'server.log').read_text('utf-8')}")


@asynccontextmanager
async def servers(directory: Path) -> AsyncIterator[tuple[ServerProcess, ServerProcess, ServerProcess]]:
    """Start PostgreSQL and the servers below a directory."""
    postgres = EmbeddedPostgres(directory / "postgres")
    database_url = await postgres.ensure_running()
    secrets = {"QUIPU_KEY_SECRET": "a secret of sixteen bytes or more", "QUIPU_MASTER_KEY": MASTER_KEY}
    cold = ["--hot-bytes", "0"]
    started: list[ServerProcess] = []
    try:
        started.append(ServerProcess(directory / "first", database_url))
        started.append(ServerProcess(directory / "second", database_url, [*cold, "--guard", "both"]))
        started.append(ServerProcess(directory / "secured", database_url, cold, **secrets))
        yield started[0], started[1], started[2]
    finally:
        for server in started:
            server.stop()
        await postgres.stop()
