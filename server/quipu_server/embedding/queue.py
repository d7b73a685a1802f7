"""A bounded queue with two lanes between the event loop and the threads that embed; fair to those who share it."""

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from quipu_server.errors import Overloaded, Unavailable
from quipu_server.measuring import Distribution, Sample
from quipu_server.measuring.metrics import EMBEDDING_WORKERS, RUN_SECONDS, WAITING_LIMIT, WAITING_TEXTS, WAITING_TOKENS
from quipu_server.ports import Lane

Result = TypeVar("Result")

KEPT_S = 0.5


@dataclass(slots=True)
class Job(Generic[Result]):
    """Work that waits; `weight` counts tokens. The future belongs to the event loop."""

    work: Callable[[], Result]
    weight: int
    future: "asyncio.Future[Result]"
    lane: Lane
    owner: str


class Turns(Generic[Result]):
    """The jobs of one lane: owners take turns, and the jobs of each owner go in their order."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, deque[Job[Result]]] = OrderedDict()

    def __iter__(self) -> Iterator[Job[Result]]:
        return (job for jobs in self._jobs.values() for job in jobs)

    def append(self, job: Job[Result]) -> None:
        self._jobs.setdefault(job.owner, deque()).append(job)

    def pop(self) -> Job[Result] | None:
        """The next job of the owner who has waited longest for a turn."""
        if not self._jobs:
            return None
        owner, jobs = self._jobs.popitem(last=False)
        job = jobs.popleft()
        if jobs:
            self._jobs[owner] = jobs
        return job

    def clear(self) -> None:
        self._jobs.clear()


class WorkQueue(Generic[Result]):
    """Runs work in threads, queries before ingest, owners in turns; a caller that left is skipped.

    While queries come, one of several threads is kept for them: no query then waits for a text that is being stored.
    """

    def __init__(self, workers: int, capacity: int, name: str, kept_s: float = KEPT_S) -> None:
        """kept_s: how long after a query a thread is kept for the next one."""
        self._capacity = capacity
        self._total = 0
        self._waiting: dict[str, int] = {}
        """Tokens that wait, by owner."""
        self._workers = workers
        self._ingesting = 0
        self._kept_s = kept_s
        self._kept_until = 0.0
        self._lanes: tuple[Turns[Result], ...] = tuple(Turns() for _ in Lane)
        self._changed = threading.Condition()
        self._closed = False
        self._runs = Distribution()
        self._threads = [threading.Thread(target=self._work, name=f"{name}-{i}", daemon=True) for i in range(workers)]
        for thread in self._threads:
            thread.start()

    def put(self, lane: Lane, weight: int, work: Callable[[], Result], owner: str = "") -> "asyncio.Future[Result]":
        """Add work of an owner. Raises Overloaded when too much waits already, Unavailable when the queue is closed."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        with self._changed:
            if self._closed:
                raise Unavailable("the server is stopping")
            if not self._has_room(owner, weight):
                raise Overloaded("too many texts wait to be embedded; try again")
            self._waiting[owner] = self._waiting.get(owner, 0) + weight
            self._total += weight
            self._lanes[lane].append(Job(work, weight, future, lane, owner))
            if lane is Lane.QUERY:
                self._kept_until = time.monotonic() + self._kept_s
            self._changed.notify()
        return future

    def samples(self) -> Iterable[Sample]:
        """What waits, and how long work took."""
        with self._changed:
            yield from (WAITING_TEXTS.of(sum(1 for _ in self._lanes[lane]), lane.name.lower()) for lane in Lane)
            yield WAITING_TOKENS.of(self._total)
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

    def _has_room(self, owner: str, weight: int) -> bool:
        """Whether the queue has room, or the owner has not had its share of a full one."""
        if not self._total or self._total + weight <= self._capacity:
            return True
        owners = len(self._waiting.keys() | {owner})
        return owners > 1 and self._waiting.get(owner, 0) + weight <= self._capacity // owners

    def _work(self) -> None:
        while (job := self._next()) is not None:
            started = time.perf_counter()
            self._run(job)
            with self._changed:
                self._ingesting -= job.lane is not Lane.QUERY
                if not job.future.cancelled():
                    self._runs.add(time.perf_counter() - started)
                self._changed.notify()

    def _run(self, job: Job[Result]) -> None:
        if job.future.cancelled():
            return
        try:
            result = job.work()
        except Exception as error:
            settle(job.future, None, error)
        else:
            settle(job.future, result, None)

    def _next(self) -> Job[Result] | None:
        with self._changed:
            while True:
                kept_s = self._kept_until - time.monotonic()
                is_kept = kept_s > 0 and self._workers > 1 and self._ingesting >= self._workers - 1
                for lane in (Lane.QUERY,) if is_kept else Lane:
                    if (job := self._lanes[lane].pop()) is not None:
                        self._take(job)
                        return job
                if self._closed:
                    return None
                self._changed.wait(kept_s if is_kept else None)

    def _take(self, job: Job[Result]) -> None:
        """Count a job as running, not as waiting."""
        self._ingesting += job.lane is not Lane.QUERY
        self._total -= job.weight
        self._waiting[job.owner] -= job.weight
        if not self._waiting[job.owner]:
            del self._waiting[job.owner]


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
