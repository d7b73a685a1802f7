"""The queue before the models: queries first, bounded, and without work nobody waits for."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from quipu_server.embedding.queue import WorkQueue
from quipu_server.errors import Overloaded, Unavailable
from quipu_server.ports import Lane

CAPACITY = 100


class Gate:
    """Work that holds a worker up until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self) -> str:
        self.reached.set()
        assert self.opened.wait(10)
        return "gate"


@pytest.fixture
def queue() -> Iterator[WorkQueue[str]]:
    made: WorkQueue[str] = WorkQueue(1, CAPACITY, "test")
    yield made
    made.close()


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    made.opened.set()


async def hold(queue: WorkQueue[str], gate: Gate) -> "asyncio.Future[str]":
    """Occupy the only worker."""
    held = queue.put(Lane.INGEST, 1, gate)
    await asyncio.to_thread(gate.reached.wait, 10)
    return held


async def test_queries_overtake_ingest(queue: WorkQueue[str], gate: Gate) -> None:
    done: list[str] = []

    def note(text: str) -> str:
        done.append(text)
        return text

    held = await hold(queue, gate)
    slow = [queue.put(Lane.INGEST, 1, lambda i=i: note(f"ingest {i}")) for i in range(3)]  # type: ignore[misc]
    quick = queue.put(Lane.QUERY, 1, lambda: note("query"))
    gate.opened.set()
    assert await asyncio.gather(held, quick, *slow) == ["gate", "query", "ingest 0", "ingest 1", "ingest 2"]
    assert done == ["query", "ingest 0", "ingest 1", "ingest 2"]


async def test_work_whose_caller_left_is_not_done(queue: WorkQueue[str], gate: Gate) -> None:
    held = await hold(queue, gate)
    abandoned = queue.put(Lane.INGEST, 1, lambda: pytest.fail("nobody waits for this"))
    abandoned.cancel()
    last = queue.put(Lane.INGEST, 1, lambda: "last")
    gate.opened.set()
    assert list(await asyncio.gather(held, last)) == ["gate", "last"]


async def test_more_than_fits_is_refused_and_taken_later(queue: WorkQueue[str], gate: Gate) -> None:
    held = await hold(queue, gate)
    waiting = queue.put(Lane.INGEST, CAPACITY, lambda: "waiting")
    with pytest.raises(Overloaded):
        queue.put(Lane.INGEST, 1, lambda: "too much")
    gate.opened.set()
    await asyncio.gather(held, waiting)
    assert await queue.put(Lane.INGEST, CAPACITY, lambda: "later") == "later"


async def test_work_larger_than_the_queue_is_taken_when_nothing_waits(queue: WorkQueue[str]) -> None:
    assert await queue.put(Lane.INGEST, 10 * CAPACITY, lambda: "large") == "large"


async def test_an_error_reaches_its_caller_and_no_other(queue: WorkQueue[str]) -> None:
    def fail() -> str:
        raise ValueError("no such text")

    failed, fine = queue.put(Lane.INGEST, 1, fail), queue.put(Lane.INGEST, 1, lambda: "fine")
    with pytest.raises(ValueError, match="no such text"):
        await failed
    assert await fine == "fine"


async def test_a_closed_queue_answers_what_waits_and_takes_nothing(gate: Gate) -> None:
    queue: WorkQueue[str] = WorkQueue(1, CAPACITY, "test")
    held = await hold(queue, gate)
    waiting = queue.put(Lane.INGEST, 1, lambda: "waiting")
    closing = asyncio.create_task(asyncio.to_thread(queue.close))
    with pytest.raises(Unavailable):
        await waiting
    gate.opened.set()
    assert await held == "gate"
    await closing
    with pytest.raises(Unavailable):
        queue.put(Lane.INGEST, 1, lambda: "late")


async def test_owners_take_turns_within_a_lane(queue: WorkQueue[str], gate: Gate) -> None:
    done: list[str] = []

    def note(name: str) -> str:
        done.append(name)
        return name

    def job(name: str) -> Callable[[], str]:
        return partial(note, name)

    held = await hold(queue, gate)
    bulk = [queue.put(Lane.INGEST, 1, job(f"bulk {i}"), "a") for i in range(4)]
    others = [queue.put(Lane.INGEST, 1, job(name), name) for name in ("b", "c")]
    late = queue.put(Lane.QUERY, 1, job("query"), "c")
    gate.opened.set()
    await asyncio.gather(held, *bulk, *others, late)
    assert done == ["query", "bulk 0", "b", "c", "bulk 1", "bulk 2", "bulk 3"]


async def test_a_queue_that_one_owner_filled_has_room_for_another(queue: WorkQueue[str], gate: Gate) -> None:
    held = await hold(queue, gate)
    full = queue.put(Lane.INGEST, CAPACITY, lambda: "full", "a")
    with pytest.raises(Overloaded):
        queue.put(Lane.INGEST, 1, lambda: "more", "a")
    with pytest.raises(Overloaded):
        queue.put(Lane.INGEST, CAPACITY // 2 + 1, lambda: "more than a share", "b")
    share = queue.put(Lane.QUERY, CAPACITY // 2, lambda: "share", "b")
    gate.opened.set()
    assert list(await asyncio.gather(held, full, share)) == ["gate", "full", "share"]


@pytest.mark.parametrize(("kept_s", "is_stored"), [(60, False), (0.01, True)])
async def test_a_thread_is_kept_for_queries_while_they_come(gate: Gate, kept_s: float, is_stored: bool) -> None:
    queue: WorkQueue[str] = WorkQueue(2, CAPACITY, "test", kept_s)
    assert await queue.put(Lane.QUERY, 1, lambda: "query") == "query"
    held = await hold(queue, gate)
    waiting = queue.put(Lane.INGEST, 1, lambda: "stored")
    if is_stored:
        assert await waiting == "stored"
    else:
        assert await queue.put(Lane.QUERY, 1, lambda: "query") == "query"
        assert not waiting.done()
    gate.opened.set()
    assert list(await asyncio.gather(held, waiting)) == ["gate", "stored"]
    queue.close()
