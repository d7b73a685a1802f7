"""One space that is kept hot."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import nullcontext

import structlog

from quipu_server.domain import Space
from quipu_server.errors import StoreUnavailable
from quipu_server.hot.contents import Contents
from quipu_server.hot.flight import Flight
from quipu_server.hot.index import HotIndex, LogGap
from quipu_server.ports import LogSource

SMALL_REVISION = 256
"""A space that has come no further is loaded sooner than it is searched in the database."""

PAGE_ROWS = 512
"""Revisions of the log read and applied at once."""

INLINE_ROWS = 32
"""So many rows are applied on the event loop: going to a thread and back costs more."""

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 600.0
"""How long a space stays cold after its load failed: twice as long each time."""

BASE_BYTES = 32_768
"""What a space costs that has nothing in it, about."""

log = structlog.get_logger(__name__)


class TooLarge(Exception):
    """An index does not fit into the memory there is for all of them."""


class Resident:
    """Loads the index of a space, lets it follow the log, and builds it anew when it is worn or in doubt.

    threads: for work that would hold the event loop up. loads: how many large loads may run at once.
    changed: called when the size has changed.
    """

    def __init__(
        self,
        space: Space,
        source: LogSource,
        threads: Executor,
        loads: asyncio.Semaphore,
        budget_bytes: int,
        changed: Callable[["Resident"], None],
    ) -> None:
        self.space = space
        self._source = source
        self._threads = threads
        self._loads = loads
        self._budget_bytes = budget_bytes
        self._changed = changed
        self._index: HotIndex | None = None
        self._goal = 0
        self._retry_at_s = 0.0
        self._retry_s = FIRST_RETRY_S
        self._loading = Flight(self._load)
        self._paging = Flight(self._follow_page)
        self._following = Flight(self._follow)
        self._merging = Flight(self._merge)

    @property
    def nbytes(self) -> int:
        """Memory it holds, about."""
        return BASE_BYTES + (self._index.nbytes if self._index else 0)

    async def reach(self, revision: int) -> Contents | None:
        """Contents at this revision or a later one; None while the space is cold, which it does not stay."""
        self._goal = max(self._goal, revision)
        if self._index is None and not await self._warm(revision):
            return None
        while (index := self._index) is not None:
            if index.contents.revision >= revision:
                return index.contents
            if not await self._paging.join():
                return None
        return None

    def aim(self, revision: int) -> None:
        """Follow the log to this revision in the background, if the space is hot."""
        self._goal = max(self._goal, revision)
        if self._index is not None:
            self._following.start()

    async def stop(self) -> None:
        """End all that runs in the background."""
        for flight in (self._following, self._loading, self._paging, self._merging):
            await flight.stop()

    async def _warm(self, revision: int) -> bool:
        """Begin to load; wait for the end if the space is small. Tells whether it is hot now."""
        if not self._may_load:
            return False
        if revision <= SMALL_REVISION:
            return await self._loading.join()
        self._loading.start()
        return False

    @property
    def _may_load(self) -> bool:
        """Whether a load runs, or the last one that failed is long enough ago."""
        return self._loading.is_running or time.monotonic() >= self._retry_at_s

    async def _load(self) -> bool:
        try:
            async with self._loads if self._goal > SMALL_REVISION else nullcontext():
                self._index = await self._build(self._goal)
        except Exception as error:
            log.warning("cannot load the index of a space", space=self.space.id, error=repr(error))
            self._retry_at_s = time.monotonic() + self._retry_s
            self._retry_s = min(2 * self._retry_s, LONGEST_RETRY_S)
            return False
        self._retry_s = FIRST_RETRY_S
        self._changed(self)
        return True

    async def _build(self, revision: int) -> HotIndex:
        index = HotIndex()
        run = asyncio.get_running_loop().run_in_executor
        async for rows in self._source.snapshot(self.space, revision):
            await run(self._threads, index.append, rows)
            self._check_size(index)
        index.publish(revision)
        if index.is_scattered:
            await run(self._threads, index.merge)
        return index

    async def _follow(self) -> bool:
        while (index := self._index) is not None and index.contents.revision < self._goal:
            if not await self._paging.join():
                return False
        return True

    async def _follow_page(self) -> bool:
        if (index := self._index) is None:
            return False
        try:
            await self._apply_page(index)
        except StoreUnavailable as error:
            log.warning("cannot follow a space", space=self.space.id, error=repr(error))
            return False
        except Exception:
            log.exception("dropped the index of a space", space=self.space.id)
            self._index = None
            return False
        finally:
            self._changed(self)
        if index.is_scattered:
            self._merging.start()
        if index.is_worn and self._may_load:
            self._loading.start()
        return True

    async def _apply_page(self, index: HotIndex) -> None:
        """Apply the next rows of the log. Nobody else writes to the index meanwhile."""
        rows = await self._source.tail(self.space, index.contents.revision, self._goal, PAGE_ROWS)
        if not rows:
            raise LogGap(f"the log ends before revision {self._goal}")
        if len(rows) <= INLINE_ROWS:
            index.follow(rows)
        else:
            await asyncio.get_running_loop().run_in_executor(self._threads, index.follow, rows)
        self._check_size(index)

    def _check_size(self, index: HotIndex) -> None:
        if index.nbytes > self._budget_bytes:
            raise TooLarge(f"the index takes more than {self._budget_bytes} bytes")

    async def _merge(self) -> bool:
        try:
            while (index := self._index) is not None and index.is_scattered:
                await asyncio.get_running_loop().run_in_executor(self._threads, index.merge)
        except Exception:
            log.exception("cannot merge segments", space=self.space.id)
            return False
        return True
