"""Joins requests for the same thing that wait at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")
Answer = TypeVar("Answer")

MOST_ITEMS = 64
"""Of a batch, so that none waits long for what others ask."""


class Batches(Generic[Key, Item, Answer]):
    """Answers many requests of a key with one piece of work, begun after each of them was made.

    There is no timer: while one batch is worked on, those for the next gather.
    work: takes the key and the items, and gives the answer to all of them.
    """

    def __init__(self, work: Callable[[Key, Sequence[Item]], Awaitable[Answer]]) -> None:
        self._work = work
        self._waiting: dict[Key, list[tuple[Item, asyncio.Future[Answer]]]] = {}
        self._running: dict[Key, asyncio.Task[None]] = {}

    async def ask(self, key: Key, item: Item) -> Answer:
        """The answer to a batch with this item. Raises what the work raises."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append((item, answer))
        if key not in self._running:
            self._running[key] = asyncio.create_task(self._work_off(key))
        return await answer

    async def _work_off(self, key: Key) -> None:
        while waiting := self._waiting.pop(key, None):
            if rest := waiting[MOST_ITEMS:]:
                self._waiting[key] = rest
            await self._answer(key, waiting[:MOST_ITEMS])
        del self._running[key]

    async def _answer(self, key: Key, batch: Sequence[tuple[Item, "asyncio.Future[Answer]"]]) -> None:
        try:
            found = await self._work(key, [item for item, _ in batch])
        except Exception as error:
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
        else:
            for _, answer in batch:
                if not answer.done():
                    answer.set_result(found)
