"""A local server for programs that want one running."""

import atexit
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from quipu.tls import Tls

STATE_FILE = "server.json"
"""Written by a running server into its data directory: its `pid` and its `address`."""
LOCK_FILE = "ensure_running.lock"
LOG_FILE = "server.log"
POLL_S = 0.05
STOP_S = 20.0
"""How long a server may take to finish its requests when it is told to stop; by default it takes half of that."""


class ServerError(Exception):
    """The local server did not start; the message ends with the last lines it printed."""


class Server:
    """A server on this machine. Close it, or use it in a `with` statement: it stops if this program started it."""

    def __init__(self, address: str, process: "subprocess.Popen[bytes] | None" = None) -> None:
        self.address = address
        self._process = process
        self._starter = os.getpid()
        if process:
            atexit.register(self.close)

    @classmethod
    def ensure_running(
        cls, data_dir: str | os.PathLike[str], *, options: Sequence[str] = (), timeout: float = 60.0
    ) -> Self:
        """Find the server that runs on a data directory, or start one, and wait until it answers.

        options: flags of `quipu serve` for a server that has to be started.
        timeout: seconds; the first start on an empty directory takes longest.
        Blocks; in an event loop use `asyncio.to_thread`. Raises ServerError.
        """
        home = Path(data_dir).expanduser().resolve()
        home.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + timeout
        with _locked(home / LOCK_FILE):
            if address := _running(home):
                _wait(home, None, deadline)
                return cls(address)
            process = _start(home, options)
            try:
                return cls(_wait(home, process, deadline), process)
            except BaseException:
                _stop(process)
                raise

    def close(self) -> None:
        """Stop the server if this program started it."""
        # A forked child has a copy of this object, but did not start the server.
        if self._process and self._starter == os.getpid():
            atexit.unregister(self.close)
            _stop(self._process)
        self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()


def is_serving(address: str, timeout: float = 1.0, *, tls: bool | Tls = False) -> bool:
    """Tell whether a server answers at an address and says that it is ready. timeout: seconds; tls: as in `connect`."""
    return _health(address, timeout, tls) == HealthCheckResponse.SERVING


def _wait(home: Path, process: "subprocess.Popen[bytes] | None", deadline: float) -> str:
    """Wait until the server of a data directory serves; return its address."""
    while True:
        address = _running(home)
        if address and is_serving(address):
            return address
        if process and process.poll() is not None:
            raise ServerError(f"the server ended with code {process.returncode}\n{_last_output(home)}")
        if time.monotonic() > deadline:
            raise ServerError(f"the server is still not ready\n{_last_output(home)}")
        time.sleep(POLL_S)


def _running(home: Path) -> str | None:
    """The address of the server that runs on a data directory."""
    try:
        state = json.loads((home / STATE_FILE).read_text("utf-8"))
        os.kill(state["pid"], 0)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    address: str = state["address"]
    return address if _health(address) is not None else None


def _health(address: str, timeout: float = 1.0, tls: bool | Tls = False) -> int | None:
    """What the server says of itself; None when nobody answers."""
    credentials = tls.credentials() if isinstance(tls, Tls) else grpc.ssl_channel_credentials() if tls else None
    with grpc.secure_channel(address, credentials) if credentials else grpc.insecure_channel(address) as channel:
        health: Any = HealthStub(channel)
        try:
            response: HealthCheckResponse = health.Check(HealthCheckRequest(), timeout=timeout)
        except grpc.RpcError:
            return None
        return response.status


def _start(home: Path, options: Sequence[str]) -> "subprocess.Popen[bytes]":
    command = [*_program(), "serve", "--data-dir", str(home), "--host", "127.0.0.1", "--port", "0", *options]
    with (home / LOG_FILE).open("wb") as log:
        # A session of its own: Ctrl-C ends this program first, which then stops the server.
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def _program() -> Sequence[str]:
    if importlib.util.find_spec("quipu_server"):
        return [sys.executable, "-m", "quipu_server"]
    if program := shutil.which("quipu"):
        return [program]
    raise ServerError("there is no server to start: install the package quipu-server")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_output(home: Path) -> str:
    log = home / LOG_FILE
    return "\n".join(log.read_text("utf-8", "replace").splitlines()[-20:]) if log.exists() else ""


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one program at a time look and start; the lock goes with its holder."""
    import fcntl  # POSIX only, as the server is

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
