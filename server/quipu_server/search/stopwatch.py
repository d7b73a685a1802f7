"""Times the stages of a search."""

import time
from types import TracebackType
from typing import Self

from quipu_server import tracing


class Stopwatch:
    """Wall time of stages in seconds, in the order they were first entered."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self._started = time.perf_counter()

    @property
    def elapsed(self) -> float:
        """Since it was made."""
        return time.perf_counter() - self._started

    def stage(self, name: str) -> "Stage":
        """Add the time spent inside to the stage; a span for whoever traces."""
        return Stage(self.stages, name)


class Stage:
    """A stage while it is timed. A class, as a search enters ten: a generator would cost five times as much."""

    __slots__ = ("_name", "_span", "_stages", "_started_s")

    def __init__(self, stages: dict[str, float], name: str) -> None:
        self._stages = stages
        self._name = name

    def __enter__(self) -> Self:
        self._started_s = time.perf_counter()
        self._span = tracing.span(self._name)
        self._span.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._span.__exit__(kind, error, traceback)
        self._stages[self._name] = self._stages.get(self._name, 0.0) + time.perf_counter() - self._started_s
