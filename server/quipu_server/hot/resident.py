"""One space that is kept hot."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import nullcontext

import structlog

from quipu_server.domain import Head, Space
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


class Diverged(Exception):
    """The database has another history than the index: it was restored, or another server took over that had less."""


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
        self._compared_s = 0.0
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

    async def reach(self, head: Head) -> Contents | None:
        """Contents at the head or later; None while the space is cold, which it does not stay."""
        self._goal = max(self._goal, head.revision)
        if self._index is None and not await self._warm(head.revision):
            return None
        while (index := self._index) is not None:
            if self._agrees(index.contents, head):
                return index.contents
            if not await self._paging.join():
                return None
        return None

    def check(self, head: Head) -> None:
        """Compare with the database in the background if the head leaves any doubt."""
        if self._index is not None and not self._agrees(self._index.contents, head):
            self._goal = max(self._goal, head.revision)
            self._paging.start()

    def aim(self, revision: int) -> None:
        """Follow the log to this revision in the background, if the space is hot."""
        self._goal = max(self._goal, revision)
        if self._index is not None:
            self._following.start()

    async def stop(self) -> None:
        """End all that runs in the background."""
        for flight in (self._following, self._loading, self._paging, self._merging):
            await flight.stop()

    def _agrees(self, contents: Contents, head: Head) -> bool:
        """Whether the contents have come as far as the head, in the same history as it.

        Each page of the log is compared with what it follows. Since then a head may tell of another history: one with
        the same revision and another nonce, or one that lies before the contents.
        """
        if contents.revision < head.revision:
            return False
        if (contents.revision, contents.nonce) == (head.revision, head.nonce):
            self._compared_s = max(self._compared_s, head.asked_s)
        return head.asked_s <= self._compared_s

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
            self._goal = 0
            self._retry_at_s = time.monotonic() + self._retry_s
            self._retry_s = min(2 * self._retry_s, LONGEST_RETRY_S)
            return False
        self._retry_s = FIRST_RETRY_S
        self._changed(self)
        return True

    async def _build(self, revision: int) -> HotIndex:
        index, nonce = HotIndex(), await self._nonce(revision)
        run = asyncio.get_running_loop().run_in_executor
        async for rows in self._source.snapshot(self.space, revision):
            await run(self._threads, index.append, rows)
            self._check_size(index)
        index.publish(revision, nonce)
        if index.is_scattered:
            await run(self._threads, index.merge)
        asked_s = time.monotonic()
        if await self._nonce(revision) != nonce:
            raise Diverged("the history changed while it was read")
        self._compared_s = asked_s
        return index

    async def _nonce(self, revision: int) -> int:
        """The nonce of a revision. Raises LogGap when the log does not go so far."""
        nonce = await self._source.nonce(self.space, revision)
        if revision and not nonce:
            raise LogGap(f"the log ends before revision {revision}")
        return nonce

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
        except Diverged as error:
            log.warning("dropped the index of a space", space=self.space.id, error=str(error))
            self._discard()
            return False
        except Exception:
            log.exception("dropped the index of a space", space=self.space.id)
            self._discard()
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
        contents, asked_s = index.contents, time.monotonic()
        rows, nonce = await self._source.tail(self.space, contents.revision, self._goal, PAGE_ROWS)
        if nonce != contents.nonce:
            raise Diverged(f"revision {contents.revision} is another one in the database")
        if not rows and contents.revision < self._goal:
            raise LogGap(f"the log ends before revision {self._goal}")
        self._compared_s = asked_s
        if len(rows) <= INLINE_ROWS:
            index.follow(rows)
        else:
            await asyncio.get_running_loop().run_in_executor(self._threads, index.follow, rows)
        self._check_size(index)

    def _discard(self) -> None:
        """Drop the index, and the goal: the log may end before it."""
        self._index = None
        self._goal = 0

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
