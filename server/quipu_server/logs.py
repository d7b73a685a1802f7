"""Structured logs on standard error: one event a line, without contents and secrets."""

import atexit
import contextlib
import logging
import sys
import threading
import traceback
from contextvars import ContextVar
from types import TracebackType
from typing import TextIO, TypeAlias, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

CALL: ContextVar[tuple[str, str] | None] = ContextVar("CALL", default=None)
"""Request id and tenant of the call that is being answered. What a call began in the background keeps them."""

OTHERS_LEVEL = logging.WARNING
"""Least level of what libraries log."""

ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]

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
    renderer: Processor = structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer()
    shared: list[Processor] = [
        add_call,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        with_messages if level == "debug" else without_messages,
    ]
    stream = cast(TextIO, Gathering(Unbreakable(sys.stderr)))
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(stream),
    )
    _take_in_others(shared, renderer, stream)


def add_call(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Say which call a line belongs to, if it does."""
    if (call := CALL.get()) is not None:
        event.setdefault("request", call[0])
        event.setdefault("tenant", call[1])
    return event


def with_messages(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Write a traceback as Python does."""
    if info := _exception(event):
        event["exception"] = "".join(traceback.format_exception(*info)).rstrip()
    return event


def without_messages(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Write a traceback without the texts of exceptions: a library may have put contents there."""
    if info := _exception(event):
        event["exception"] = "\n".join(_traced(info[1]))
    return event


def _exception(event: EventDict) -> ExcInfo | None:
    given = event.pop("exc_info", None)
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    info = given if isinstance(given, tuple) else sys.exc_info() if given else (None, None, None)
    return cast(ExcInfo, info) if info[0] is not None else None


def _traced(error: BaseException) -> list[str]:
    """Types and places of an exception and those behind it, the first cause first."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    frames = [f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    return [*(_traced(cause) if cause else ()), f"{type(error).__module__}.{type(error).__qualname__}", *frames]


def _take_in_others(shared: list[Processor], renderer: Processor, stream: TextIO) -> None:
    """Write what libraries log in the same form."""
    handler = logging.StreamHandler(stream)
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[remove, renderer], foreign_pre_chain=shared))
    handler.set_name("quipu")
    root = logging.getLogger()
    root.handlers = [other for other in root.handlers if other.get_name() != handler.get_name()] + [handler]
    root.setLevel(OTHERS_LEVEL)
