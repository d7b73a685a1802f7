"""Builds graphs in the background, while what they replace is searched."""

import atexit
import ctypes
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol
from weakref import ref

import structlog

from quipu_server.hot.building import Abandoned, build_graph
from quipu_server.hot.graph import GraphSegment
from quipu_server.hot.segment import Segment
from quipu_server.hot.tuning import Tuning

NICENESS = 10
"""Building a graph takes minutes of all processors: whoever searches goes first."""

Stopped = Callable[[], bool]

log = structlog.get_logger(__name__)


class Condensable(Protocol):
    """What can be given a graph."""

    tuning: Tuning

    def claim(self) -> Sequence[Segment | GraphSegment]:
        """The segments that a graph is to replace; they stay until it does."""

    def install(self, claimed: Sequence[Segment | GraphSegment], graph: GraphSegment | None) -> None:
        """Put the graph in their place, or learn that there will be none."""


def condense(index: "ref[Condensable]", is_stopped: Stopped = lambda: False) -> None:
    """Give an index a graph now. Nothing happens when it is dropped meanwhile. Raises Abandoned when stopped."""
    if (claiming := index()) is None or not (claimed := claiming.claim()):
        return
    tuning, graph = claiming.tuning, None
    del claiming
    try:
        graph = build_graph(claimed, tuning, lambda: is_stopped() or index() is None)
    finally:
        if (waiting := index()) is not None:
            waiting.install(claimed, graph)
    del claimed
    return_memory()


class Condenser:
    """A thread that serves one after the other and ends when nothing is left to do.

    It holds nobody in memory: an index that was dropped needs no graph.
    """

    def __init__(self) -> None:
        self._waiting: deque[ref[Condensable]] = deque()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_stopped = False

    def request(self, index: Condensable) -> None:
        """Let an index have a graph, in time."""
        with self._lock:
            self._waiting.append(ref(index))
            if self._thread is None and not self._is_stopped:
                # Its own thread: priority and OpenMP's threads go with it.
                self._thread = threading.Thread(target=self._run, name="quipu-graph", daemon=True)
                self._thread.start()

    def join(self) -> None:
        """Wait until all that was requested is done."""
        if (thread := self._thread) is not None:
            thread.join()

    def stop(self) -> None:
        """Abandon what is not done."""
        self._is_stopped = True
        self.join()

    def _run(self) -> None:
        _step_back()
        while (index := self._next()) is not None:
            try:
                condense(index, lambda: self._is_stopped)
            except Abandoned:
                log.info("stopped to build a graph")
            except Exception:
                log.exception("cannot build a graph")

    def _next(self) -> "ref[Condensable] | None":
        with self._lock:
            if self._waiting and not self._is_stopped:
                return self._waiting.popleft()
            self._thread = None
            return None


def return_memory() -> None:
    """Give the system what the replaced segments took; glibc would keep what lies between small objects for ever."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)


def _step_back() -> None:
    """Give this thread, and those it starts, a low priority. Only Linux has priorities of threads."""
    if os.uname().sysname == "Linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


CONDENSER = Condenser()
"""One for all indexes of the process: a build uses all processors."""

atexit.register(CONDENSER.stop)
