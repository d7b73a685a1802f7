"""Times the stages of a search."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

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

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside to the stage; a span for whoever traces."""
        started = time.perf_counter()
        try:
            with tracing.span(name):
                yield
        finally:
            self.stages[name] = self.stages.get(name, 0.0) + time.perf_counter() - started
