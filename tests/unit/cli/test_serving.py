"""`quipu serve`, `quipu doctor`, `quipu completion`, and the start of them all."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from quipu import is_serving
from quipu_server import cli
from quipu_server.cli import checks
from quipu_server.config import Settings
from quipu_server.errors import StartupError
from tests.unit.cli.conftest import Run

Output = pytest.CaptureFixture[str]


class Started(Exception):
    """Carries the settings a server was started with."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> None:
    async def start(settings: Settings) -> None:
        raise Started(settings)

    monkeypatch.setattr("quipu_server.app.run", start)


def served(quipu: Run, *arguments: str) -> Settings:
    with pytest.raises(Started) as raised:
        quipu("serve", *arguments)
    return raised.value.settings


@pytest.mark.usefixtures("app")
def test_every_setting_has_a_flag(quipu: Run) -> None:
    settings = served(
        quipu, "--port", "0", "--insecure-no-auth", "--model-dir", "a", "--model-dir", "b", "--drain-s", "2.5"
    )
    assert (settings.port, settings.insecure_no_auth, settings.drain_s) == (0, True, 2.5)
    assert settings.model_dirs == [Path("a"), Path("b")]


@pytest.mark.usefixtures("app")
def test_flags_go_before_the_environment_and_that_before_the_file(
    quipu: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUIPU_CONFIG", "")
    monkeypatch.setenv("QUIPU_PORT", "2")
    monkeypatch.setenv("QUIPU_POOL_SIZE", "3")
    file = tmp_path / "quipu.toml"
    file.write_text('port = 4\npool_size = 5\nlog_level = "error"\n')
    settings = served(quipu, "--port", "1", "--config", str(file))
    assert (settings.port, settings.pool_size, settings.log_level) == (1, 3, "error")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "70000"], "port: Input should be less than or equal to 65535"),
        (["--port", "http"], "port: Input should be a valid integer"),
        (["--log-level", "loud"], "'loud' is not one of"),
        (["--config", "/nonexistent"], "does not exist"),
    ],
)
def test_a_bad_setting_is_wrong_use(quipu: Run, capsys: Output, arguments: list[str], message: str) -> None:
    assert quipu("serve", *arguments) == 2
    assert message in capsys.readouterr().err


def test_a_server_that_cannot_start_says_why(quipu: Run, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(settings: Settings) -> None:
        raise StartupError("the data directory is in use")

    monkeypatch.setattr("quipu_server.app.run", fail)
    assert quipu("serve") == 1
    assert capsys.readouterr().err == "Error: the data directory is in use\n"


def test_the_help_comes_without_heavy_libraries() -> None:
    program = "import sys, quipu_server.cli; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert not {"grpc", "numpy", "pydantic", "quipu", "rich"} & set(loaded)


def test_every_command_has_help(quipu: Run, capsys: Output) -> None:
    for command in cli.quipu.commands:
        assert quipu(command, "--help") == 0
        assert capsys.readouterr().out.startswith(f"Usage: quipu {command}")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(quipu: Run, capsys: Output, shell: str) -> None:
    assert quipu("completion", shell) == 0
    assert "_QUIPU_COMPLETE" in capsys.readouterr().out


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return str(listening.getsockname()[1])


@pytest.fixture
def few_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that need neither a model nor a database."""
    kept = (checks.check_versions, checks.check_disk, checks.check_data_dir, checks.check_port)
    monkeypatch.setattr(checks, "CHECKS", kept)


@pytest.mark.usefixtures("few_checks")
def test_the_doctor_finds_nothing(quipu: Run, capsys: Output, tmp_path: Path) -> None:
    assert quipu("doctor", "--data-dir", str(tmp_path / "new"), "--port", free_port()) == 0
    assert "FAIL" not in capsys.readouterr().out


@pytest.mark.usefixtures("few_checks")
def test_the_doctor_finds_a_taken_port(quipu: Run, capsys: Output, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        assert quipu("doctor", "--data-dir", str(tmp_path), "--port", port) == 1
    assert "choose another --port" in capsys.readouterr().out


@pytest.mark.usefixtures("few_checks")
def test_the_doctor_finds_who_uses_the_data_directory(quipu: Run, capsys: Output, tmp_path: Path) -> None:
    from quipu_server.store.file_lock import FileLock

    lock = FileLock(tmp_path / "lock")
    assert lock.acquire()
    lock.name_holder(os.getpid())
    assert quipu("doctor", "--data-dir", str(tmp_path), "--port", free_port()) == 1
    assert f"is in use by process {os.getpid()}" in capsys.readouterr().out
    lock.release()


@pytest.mark.usefixtures("few_checks")
def test_the_doctor_finds_old_and_missing_libraries(
    quipu: Run, capsys: Output, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "requires", lambda _: ["click>=999", "no-such-library>=1", 'torch>=1; extra == "x"'])
    assert quipu("doctor", "--data-dir", str(tmp_path), "--port", free_port()) == 1
    printed = capsys.readouterr().out
    assert "is older than 999; no-such-library is missing" in printed
    assert "torch" not in printed


def test_the_health_of_a_server_that_is_not_there_is_bad(quipu: Run) -> None:
    port = free_port()
    assert quipu("doctor", "--health", "--port", port) == 1
    assert not is_serving(f"127.0.0.1:{port}")
