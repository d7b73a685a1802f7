"""One space that is kept hot."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import structlog

from quipu_server.domain import Head, Space
from quipu_server.errors import StoreUnavailable
from quipu_server.hot.contents import Contents
from quipu_server.hot.estimate import Estimate
from quipu_server.hot.flight import Flight
from quipu_server.hot.index import HotIndex
from quipu_server.hot.loading import Diverged, Loader, is_small

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 600.0
"""How long a space stays cold after its load failed: twice as long each time."""

RESUME_S = 15.0
"""So long a reader waits for a snapshot to be read: to go through a large space in the database takes no less."""

BASE_BYTES = 98_304
"""What a space costs beside its index: itself when nothing is in it, and its share of what loads need for a while."""

log = structlog.get_logger(__name__)


class Released(Exception):
    """The space has to leave while it is loaded."""


class Resident:
    """Loads the index of a space, lets it follow the log, and builds it anew when it is worn or in doubt.

    estimate: of what a load will take. changed: called when the size has changed; it may call `release`.
    """

    def __init__(self, space: Space, loader: Loader, estimate: Estimate, changed: Callable[["Resident"], None]) -> None:
        self.space = space
        self._estimate = estimate
        self._loader = loader
        self._changed = changed
        self._index: HotIndex | None = None
        self._building: HotIndex | None = None
        self._expected_bytes = 0
        self._is_released = False
        self._goal = 0
        self._compared_s = 0.0
        self._retry_at_s = 0.0
        self._retry_s = FIRST_RETRY_S
        self._resumed = asyncio.Event()
        self._loading = Flight(self._load)
        self._paging = Flight(self._follow_page)
        self._following = Flight(self._follow)
        self._merging = Flight(self._merge)

    @property
    def nbytes(self) -> int:
        """Memory it holds, about, with what a load that runs will need."""
        built = max(self._expected_bytes, self._building.nbytes if self._building else 0)
        return BASE_BYTES + built + (self._index.nbytes if self._index else 0)

    @property
    def contents(self) -> Contents | None:
        """What it holds; None while the space is cold."""
        return self._index.contents if self._index else None

    def has_model_of(self, space: Space) -> bool:
        """Whether it holds vectors of the model that the space has."""
        return self.space.fingerprint == space.fingerprint

    @property
    def worth_keeping(self) -> Contents | None:
        """What may be written to a file: nothing of memories that were erased."""
        return None if self._index is None or self._index.holds_erased else self._index.contents

    @property
    def lag(self) -> int:
        """Revisions that are known of and not followed yet."""
        return max(0, self._goal - self._index.contents.revision) if self._index else 0

    @property
    def is_loading(self) -> bool:
        return self._loading.is_running

    async def reach(self, head: Head) -> Contents | None:
        """Contents at the head or later; None while the space is cold, which it does not stay."""
        self._goal = max(self._goal, head.revision)
        if self._index is None and not await self._warm(head):
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

    def release(self) -> None:
        """End what runs soon; what was loaded goes with its last reader."""
        self._is_released = True
        self._index = None

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

    async def _warm(self, head: Head) -> bool:
        """Begin to load if there is a turn; wait if it is soon done. Tells whether the space is hot now."""
        if not self._may_load or (not self._loading.is_running and self._loader.is_busy(head.revision)):
            return False
        if not self._loading.is_running:
            self._expected_bytes = self._estimate.of(head.memory_count)
            self._resumed.clear()
        loading = self._loading.start()
        self._changed(self)
        if loading.done():
            return False
        if is_small(head.revision):
            return await self._loading.join()
        if self._loader.may_resume(self.space):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._resumed.wait(), RESUME_S)
        return self._index is not None

    @property
    def _may_load(self) -> bool:
        """Whether a load runs, or the last one that failed is long enough ago."""
        return self._loading.is_running or (not self._is_released and time.monotonic() >= self._retry_at_s)

    async def _load(self) -> bool:
        try:
            async with self._loader.turns.of(self._goal):
                self._grow(self._loader.empty())
                found = await self._loader.resume(self.space, self._goal, self._grow)
                if found is None:
                    self._resumed.set()
                    found = await self._loader.build(self.space, self._goal, self._grow)
                index, self._compared_s = found
                self._adopt(index)
        except Released:
            return False
        except Exception as error:
            self._loader.outcomes["failed"] += 1
            log.warning("cannot load the index of a space", space=self.space.id, error=repr(error))
            self._goal = 0
            self._retry_at_s = time.monotonic() + self._retry_s
            self._retry_s = min(2 * self._retry_s, LONGEST_RETRY_S)
            return False
        finally:
            self._building, self._expected_bytes = None, 0
            self._changed(self)
            self._resumed.set()
        self._retry_s = FIRST_RETRY_S
        if self._index is not None:
            self._estimate.learn(self._index.contents.live_count, self._index.nbytes)
        return True

    def _adopt(self, index: HotIndex) -> None:
        """Answer from this index, and learn when a thread has changed its size."""
        self._index = index
        index.on_graph = partial(asyncio.get_running_loop().call_soon_threadsafe, self._changed, self)

    def _grow(self, index: HotIndex) -> None:
        """Account for an index that is being built. Raises Released when there is no room for it."""
        self._building = index
        self._changed(self)
        if self._is_released:
            raise Released

    async def _follow(self) -> bool:
        while (index := self._index) is not None and index.contents.revision < self._goal:
            if not await self._paging.join():
                return False
        return True

    async def _follow_page(self) -> bool:
        if (index := self._index) is None:
            return False
        try:
            self._compared_s = await self._loader.follow(self.space, index, self._goal)
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
        if index.holds_erased:
            self._loader.discard(self.space)
        if index.is_scattered:
            self._merging.start()
        if index.is_worn and self._may_load:
            self._loading.start()
        return True

    def _discard(self) -> None:
        """Drop the index, and the goal: the log may end before it."""
        self._index = None
        self._goal = 0

    async def _merge(self) -> bool:
        try:
            while (index := self._index) is not None and index.is_scattered:
                await self._loader.merge(index)
        except Exception:
            log.exception("cannot merge segments", space=self.space.id)
            return False
        return True
