"""Work in the background, once at a time."""

import asyncio
from collections.abc import Callable, Coroutine


class Flight:
    """Runs something in a task of its own; who asks while it runs joins that run.

    The work reports by its result whether it succeeded, and raises nothing.
    """

    def __init__(self, work: Callable[[], Coroutine[None, None, bool]]) -> None:
        self._work = work
        self._task: asyncio.Task[bool] | None = None

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    def start(self) -> "asyncio.Task[bool]":
        """Begin unless it runs already."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        return self._task

    async def join(self) -> bool:
        """Begin unless it runs already, and wait for the end; a waiter that is cancelled leaves it running."""
        return await asyncio.shield(self.start())

    async def stop(self) -> None:
        """Cancel it and wait until it has ended."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
