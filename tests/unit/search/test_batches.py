"""Requests that wait at the same time are answered together, by work begun after each of them."""

import asyncio
from collections.abc import Sequence

import pytest

from quipu_server.search.batches import MOST_ITEMS, Batches


class Worker:
    """Keeps what it was given, and waits to be let go."""

    def __init__(self) -> None:
        self.given: list[tuple[str, list[int]]] = []
        self.gate = asyncio.Event()

    async def work(self, key: str, items: Sequence[int]) -> int:
        self.given.append((key, list(items)))
        await self.gate.wait()
        if 13 in items:
            raise ValueError("13")
        return sum(items)


async def ask_all(batches: Batches[str, int, int], key: str, items: Sequence[int]) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(batches.ask(key, item)) for item in items]
    await asyncio.sleep(0.01)
    return tasks


async def test_what_is_asked_while_work_is_under_way_waits_for_the_next() -> None:
    worker = Worker()
    batches = Batches(worker.work)
    first = await ask_all(batches, "a", [1, 2])
    second = await ask_all(batches, "a", [3, 4])
    worker.gate.set()
    assert await asyncio.gather(*first, *second) == [3, 3, 7, 7]
    assert worker.given == [("a", [1, 2]), ("a", [3, 4])]


async def test_keys_do_not_wait_for_each_other() -> None:
    worker = Worker()
    batches = Batches(worker.work)
    tasks = [*await ask_all(batches, "a", [1]), *await ask_all(batches, "b", [2])]
    assert worker.given == [("a", [1]), ("b", [2])]
    worker.gate.set()
    assert await asyncio.gather(*tasks) == [1, 2]


async def test_a_failure_is_that_of_its_batch_alone() -> None:
    worker = Worker()
    worker.gate.set()
    batches = Batches(worker.work)
    for task in await ask_all(batches, "a", [1, 13]):
        with pytest.raises(ValueError, match="13"):
            await task
    assert await batches.ask("a", 5) == 5


async def test_a_caller_that_left_takes_nothing_from_the_others() -> None:
    worker = Worker()
    batches = Batches(worker.work)
    left, stayed = await ask_all(batches, "a", [1, 2])
    left.cancel()
    worker.gate.set()
    assert await stayed == 3


async def test_a_batch_is_bounded() -> None:
    worker = Worker()
    worker.gate.set()
    batches = Batches(worker.work)
    answers = await asyncio.gather(*await ask_all(batches, "a", [1] * (MOST_ITEMS + 1)))
    assert sorted(answers) == [1] + [MOST_ITEMS] * MOST_ITEMS
