"""Structured logs on standard error."""

import atexit
import contextlib
import logging
import sys
import threading
from typing import TextIO, cast

import structlog

GATHERED_S = 0.1
"""How long a line may wait to be written."""


class Unbreakable:
    """A stream whose reader may leave, or that may be closed: what cannot be written is lost."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


class Gathering:
    """Writes lines together, a moment after the first: a line of its own costs a call of the system for each."""

    def __init__(self, stream: Unbreakable) -> None:
        self._stream = stream
        self._lines: list[str] = []
        self._lock = threading.Lock()
        atexit.register(self.write_out)

    def write(self, text: str) -> None:
        with self._lock:
            self._lines.append(text)
            is_first = len(self._lines) == 1
        if is_first:
            timer = threading.Timer(GATHERED_S, self.write_out)
            timer.daemon = True
            timer.start()

    def flush(self) -> None:
        """Nothing: lines are written soon enough."""

    def write_out(self) -> None:
        """Write what was gathered, now."""
        with self._lock:
            lines, self._lines = self._lines, []
        self._stream.write("".join(lines))
        self._stream.flush()


def configure_logs(level: str, form: str) -> None:
    """Log lines of at least this level; form `auto` means console on a terminal, else JSON."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, Gathering(Unbreakable(sys.stderr)))),
    )
