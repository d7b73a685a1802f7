"""A bounded queue with two lanes between the event loop and the threads that embed."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from quipu_server.errors import Overloaded, Unavailable
from quipu_server.measuring import Distribution, Sample
from quipu_server.measuring.metrics import EMBEDDING_WORKERS, RUN_SECONDS, WAITING_LIMIT, WAITING_TEXTS, WAITING_TOKENS
from quipu_server.ports import Lane

Result = TypeVar("Result")


@dataclass(slots=True)
class Job(Generic[Result]):
    """Work that waits; `weight` counts tokens. The future belongs to the event loop."""

    work: Callable[[], Result]
    weight: int
    future: "asyncio.Future[Result]"


class WorkQueue(Generic[Result]):
    """Runs work in threads, queries before ingest; a caller that left is skipped."""

    def __init__(self, workers: int, capacity: int, name: str) -> None:
        self._capacity = capacity
        self._waiting = 0
        self._lanes: tuple[deque[Job[Result]], ...] = tuple(deque() for _ in Lane)
        self._changed = threading.Condition()
        self._closed = False
        self._runs = Distribution()
        self._threads = [threading.Thread(target=self._work, name=f"{name}-{i}", daemon=True) for i in range(workers)]
        for thread in self._threads:
            thread.start()

    def put(self, lane: Lane, weight: int, work: Callable[[], Result]) -> "asyncio.Future[Result]":
        """Add work. Raises Overloaded when too much waits already, Unavailable when the queue is closed."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        with self._changed:
            if self._closed:
                raise Unavailable("the server is stopping")
            if self._waiting and self._waiting + weight > self._capacity:
                raise Overloaded("too many texts wait to be embedded; try again")
            self._waiting += weight
            self._lanes[lane].append(Job(work, weight, future))
            self._changed.notify()
        return future

    def samples(self) -> Iterable[Sample]:
        """What waits, and how long work took."""
        with self._changed:
            yield from (WAITING_TEXTS.of(len(self._lanes[lane]), lane.name.lower()) for lane in Lane)
            yield WAITING_TOKENS.of(self._waiting)
            yield RUN_SECONDS.of(self._runs, "local")
        yield WAITING_LIMIT.of(self._capacity)
        yield EMBEDDING_WORKERS.of(len(self._threads))

    def close(self) -> None:
        """End the threads; work that waits fails."""
        with self._changed:
            self._closed = True
            left = [job for lane in self._lanes for job in lane]
            for lane in self._lanes:
                lane.clear()
            self._changed.notify_all()
        for job in left:
            settle(job.future, None, Unavailable("the server is stopping"))
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            if job.future.cancelled():
                continue
            started = time.perf_counter()
            try:
                result = job.work()
            except Exception as error:
                settle(job.future, None, error)
            else:
                settle(job.future, result, None)
            with self._changed:
                self._runs.add(time.perf_counter() - started)

    def _next(self) -> Job[Result] | None:
        with self._changed:
            while True:
                for lane in self._lanes:
                    if lane:
                        job = lane.popleft()
                        self._waiting -= job.weight
                        return job
                if self._closed:
                    return None
                self._changed.wait()


def settle(future: "asyncio.Future[Result]", result: Result | None, error: Exception | None) -> None:
    """Answer a future from any thread, unless its caller left."""

    def answer() -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    loop = future.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(answer)
