"""The embedded PostgreSQL: a cluster in the data directory, reached over a socket there."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from psycopg.conninfo import make_conninfo

from quipu_server.errors import StartupError
from quipu_server.machine import usable_bytes
from quipu_server.store.account import Account, account_for
from quipu_server.store.file_lock import FileLock
from quipu_server.store.programs import bundled_programs

USER = "quipu"
DATABASE = "postgres"
SOCKET = ".s.PGSQL.5432"
LONGEST_SOCKET_PATH = 103
"""Bytes in `sun_path` without the final NUL, on the system that allows fewest (macOS)."""
LARGEST_LOG_BYTES = 8 << 20
STOP_TIMEOUT_S = 60
"""A stop writes out what is in shared buffers. After this long it is cut short; the next start recovers."""
POLL_S = 0.01
LEAST_BUFFERS, MOST_BUFFERS = 128 << 20, 2 << 30
BUFFER_SHARE = 16
"""Of the memory that may be used, PostgreSQL keeps this part of its pages in: to get one from the system takes a search
0.1 ms, and ten memories of a large space are on seventy."""
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "work_mem": "16MB",
    "jit": "off",
    "random_page_cost": "1.1",
    # Imports write much: fewer checkpoints write fewer whole pages to the log.
    "checkpoint_timeout": "15min",
    "max_wal_size": "2GB",
    # What people store stays out of the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "log_autovacuum_min_duration": "-1",
}


class EmbeddedPostgres:
    """Starts and stops the PostgreSQL of a data directory. One process may use the directory at a time."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir.expanduser().absolute()
        self._cluster = self._data_dir / "postgres"
        self._pid_path = self._cluster / "postmaster.pid"
        self._log = self._data_dir / "postgres.log"
        self._directory_lock = FileLock(self._data_dir / "lock")
        # Every process of PostgreSQL inherits it: while one of them lives, nobody else can have it.
        self._cluster_lock = FileLock(self._data_dir / "postgres.lock")
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_dir: Path | None = None

    async def ensure_running(self) -> str:
        """Start the server unless it runs; return how to connect to it.

        Raises StartupError when another process uses the directory or PostgreSQL does not start.
        """
        if self._process is None or self._process.poll() is not None:
            self._process = await asyncio.to_thread(self._launch)
        while not self._is_ready(self._process.pid):
            if self._process.poll() is not None:
                raise StartupError(f"PostgreSQL did not start: {self._last_words()} (all of it: {self._log})")
            await asyncio.sleep(POLL_S)
        return make_conninfo(host=str(self._socket_dir), user=USER, dbname=DATABASE)

    async def stop(self) -> None:
        """Stop the server after it has written everything out, and let go of the directory."""
        if self._process is not None:
            await asyncio.to_thread(_stop, self._process)
            self._process = None
        if self._socket_dir is not None and self._socket_dir != self._cluster:
            shutil.rmtree(self._socket_dir, ignore_errors=True)
        self._socket_dir = None
        self._directory_lock.release()

    def _launch(self) -> subprocess.Popen[bytes]:
        self._take_directory()
        account = account_for(self._cluster)
        for path in (self._cluster, bundled_programs()):
            account.open_way(path)
        self._stop_leftover()
        if not self._cluster.exists():
            self._initialise(account)
        self._socket_dir = self._socket_dir or self._choose_socket_dir(account)
        settings = SETTINGS | {
            "shared_buffers": f"{buffer_bytes(usable_bytes()) >> 20}MB",
            "unix_socket_directories": str(self._socket_dir),
        }
        command = ["postgres", "-D", str(self._cluster), *_options(settings)]
        try:
            process = self._run(account, command)
            self._cluster_lock.name_holder(process.pid)
            return process
        finally:
            self._cluster_lock.release()

    def _take_directory(self) -> None:
        try:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            taken = self._directory_lock.acquire()
        except OSError as error:
            raise StartupError(f"cannot use the data directory {self._data_dir}: {error.strerror}") from error
        if not taken:
            raise StartupError(
                f"the data directory {self._data_dir} is in use by process {self._directory_lock.holder}; "
                "stop that server, or give this one a directory of its own"
            )
        self._directory_lock.name_holder(os.getpid())
        if self._log.exists() and self._log.stat().st_size > LARGEST_LOG_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))

    def _initialise(self, account: Account) -> None:
        """Make the cluster beside its place: one that was cut short is never taken for a whole one."""
        new = self._cluster.with_suffix(".new")
        shutil.rmtree(new, ignore_errors=True)
        account.make_directory(new)
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command = ["initdb", "-D", str(new), "-U", USER, "--auth=trust", *locale]
        if self._run(account, command).wait() != 0:
            raise StartupError(f"cannot make a database in {new}: {self._last_words()} (all of it: {self._log})")
        new.rename(self._cluster)

    def _run(self, account: Account, command: list[str]) -> subprocess.Popen[bytes]:
        """Run a program of PostgreSQL away from the terminal, whose Ctrl-C is for the server first."""
        program = bundled_programs() / command[0]
        with self._log.open("ab") as log:
            try:
                return subprocess.Popen(
                    [str(program), *command[1:]],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    start_new_session=True,
                    pass_fds=[self._cluster_lock.descriptor],
                    **account.process_options,
                )
            except OSError as error:
                raise StartupError(f"cannot run {program}: {error.strerror}") from error

    def _stop_leftover(self) -> None:
        """Take the cluster; stop the PostgreSQL of a server that was killed, if it still runs."""
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while not self._cluster_lock.acquire():
            with suppress(FileNotFoundError, IndexError, ProcessLookupError):
                pid = int(self._pid_file()[0])
                os.kill(pid, signal.SIGINT if time.monotonic() < deadline else signal.SIGQUIT)
            time.sleep(POLL_S)
        self._forget_killed()

    def _forget_killed(self) -> None:
        """Remove the lock files of a PostgreSQL that was killed: the next one takes whoever has its number for it."""
        with suppress(FileNotFoundError, IndexError):
            if self._pid_file()[0] == self._cluster_lock.holder:
                (self._cluster / f"{SOCKET}.lock").unlink(missing_ok=True)
                self._pid_path.unlink()

    def _choose_socket_dir(self, account: Account) -> Path:
        """The cluster itself, or a short directory when that path is too long or reads as a list."""
        path = os.fsencode(self._cluster / SOCKET)
        if len(path) <= LONGEST_SOCKET_PATH and not set(path) & set(b',"'):
            return self._cluster
        short = Path(tempfile.mkdtemp(prefix="quipu-"))
        if account.switch:
            os.chown(short, account.uid, account.gid)
        account.open_way(short)
        return short

    def _pid_file(self) -> list[str]:
        """Lines of `postmaster.pid`: the first is the process, the eighth its state."""
        return self._pid_path.read_text().splitlines()

    def _is_ready(self, pid: int) -> bool:
        with suppress(FileNotFoundError, IndexError):
            lines = self._pid_file()
            return lines[0] == str(pid) and lines[7].strip() == "ready"
        return False

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        failures = [line for line in lines if "FATAL:" in line or "error:" in line]
        return (failures or lines or ["it left no message"])[-1]


def buffer_bytes(usable: int) -> int:
    """How much of the usable memory PostgreSQL gets for its pages."""
    return min(max(usable // BUFFER_SHARE, LEAST_BUFFERS), MOST_BUFFERS)


def _options(settings: dict[str, str]) -> list[str]:
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Let it end its sessions and write everything out; end it at once when that takes too long."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGQUIT)
        process.wait()
