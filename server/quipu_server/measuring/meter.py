"""Where calls and searches are noted while they happen; whatever else is measured is read when somebody looks."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Protocol

from quipu_server.measuring.distribution import Distribution
from quipu_server.measuring.metrics import (
    ERRORS,
    INFO,
    RPC_SECONDS,
    RPCS_RUNNING,
    SEARCH_SECONDS,
    STAGE_SECONDS,
    START_TIME,
    Sample,
)


class Meter(Protocol):
    """Notes what happens. Used on the event loop only."""

    def call_began(self) -> None:
        """A call came in."""

    def call_ended(self, method: str, code: str, seconds: float) -> None:
        """A call that began is over; code is the name of its status."""

    def failed(self, reason: str) -> None:
        """A call failed. reason: one of `ErrorReason`, so that there are few of them."""

    def searched(self, path: str, stages: Mapping[str, float], seconds: float) -> None:
        """A search was answered. stages: seconds of each."""


class Measurements:
    """The Meter that keeps it, and gives it to whoever looks."""

    def __init__(self, version: str = "") -> None:
        self._version = version
        self._started_s = time.time()
        self._running = 0
        self._calls: defaultdict[tuple[str, str], Distribution] = defaultdict(Distribution)
        self._searches: defaultdict[str, Distribution] = defaultdict(Distribution)
        self._stages: defaultdict[tuple[str, str], Distribution] = defaultdict(Distribution)
        self._errors: Counter[str] = Counter()

    def call_began(self) -> None:
        self._running += 1

    def call_ended(self, method: str, code: str, seconds: float) -> None:
        self._running -= 1
        self._calls[method, code].add(seconds)

    def failed(self, reason: str) -> None:
        self._errors[reason] += 1

    def searched(self, path: str, stages: Mapping[str, float], seconds: float) -> None:
        self._searches[path].add(seconds)
        for stage, spent_s in stages.items():
            self._stages[path, stage].add(spent_s)

    def samples(self) -> Iterable[Sample]:
        yield INFO.of(1, self._version)
        yield START_TIME.of(self._started_s)
        yield RPCS_RUNNING.of(self._running)
        yield from (RPC_SECONDS.of(calls, *labels) for labels, calls in self._calls.items())
        yield from (ERRORS.of(count, reason) for reason, count in self._errors.items())
        yield from (SEARCH_SECONDS.of(searches, path) for path, searches in self._searches.items())
        yield from (STAGE_SECONDS.of(spent, *labels) for labels, spent in self._stages.items())
