"""The log of servers in this process, as it would be written to standard error."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import structlog

from quipu_server.logs import Gathering, configure_logs


@contextmanager
def written_logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Log as in production meanwhile; what is yielded tells what was written so far."""
    kept = io.StringIO()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stderr", kept)
        configure_logs("info", "json")
    forget_cached()
    stream = structlog.get_config()["logger_factory"]._file
    assert isinstance(stream, Gathering)

    def written() -> str:
        stream.write_out()
        return kept.getvalue()

    try:
        yield written
    finally:
        configure_logs("error", "json")
        forget_cached()


def forget_cached() -> None:
    """Let loggers of modules find the configuration again: they keep the one of their first line."""
    for name, module in list(sys.modules.items()):
        if name.startswith("quipu_server"):
            for value in vars(module).values():
                if isinstance(value, structlog.typing.BindableLogger) and "bind" in getattr(value, "__dict__", {}):
                    del value.__dict__["bind"]
