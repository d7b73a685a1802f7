"""Which spaces are hot."""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from quipu_server.domain import Head, Space
from quipu_server.hot.resident import Resident
from quipu_server.hot.search_view import HotView
from quipu_server.ports import LogSource, SearchView

LARGE_LOADS = 2
"""Large indexes loaded at once: each keeps a processor and a connection to the database busy."""

ColdViews = Callable[[Space, int], SearchView]
"""Gives a view of a space at a revision that needs no index."""


class HotCatalogue:
    """The SearchViews: hot where an index is at hand, cold meanwhile.

    cold: for spaces that are not hot yet. budget_bytes: memory for all indexes, about; the least recently searched
    leave first; with 0 all is cold. Lives on one event loop; who made it closes it.
    """

    def __init__(self, log: LogSource, cold: ColdViews, budget_bytes: int) -> None:
        self._log = log
        self._cold = cold
        self._budget_bytes = budget_bytes
        self._searching = ThreadPoolExecutor(os.cpu_count(), "quipu-search")
        # Apart, so that no search waits for a merge.
        self._building = ThreadPoolExecutor(LARGE_LOADS, "quipu-index")
        self._loads = asyncio.Semaphore(LARGE_LOADS)
        self._residents: OrderedDict[UUID, Resident] = OrderedDict()
        self._sizes: dict[UUID, int] = {}
        self._total_bytes = 0

    async def view(self, space: Space, at_least: Head) -> SearchView:
        """A view whose revision is at least that of the head."""
        contents = await self._resident(space).reach(at_least) if self._budget_bytes else None
        if contents is None:
            return self._cold(space, at_least.revision)
        return HotView(space, contents, self._log, self._searching)

    def written(self, space: Space, revision: int) -> None:
        """Tell that a write was acknowledged; a hot index catches up in the background."""
        if (resident := self._residents.get(space.id)) is not None:
            resident.aim(revision)

    async def recheck(self) -> None:
        """Compare all indexes with the database, which may have another history now. Raises StoreUnavailable."""
        heads = await self._log.heads(list(self._residents))
        for key, resident in list(self._residents.items()):
            if key in heads:
                resident.check(heads[key])

    def forget(self, space: Space) -> None:
        """Tell that a space was deleted."""
        self._drop(space.id)

    async def close(self) -> None:
        """End all background work."""
        while self._residents:
            _, resident = self._residents.popitem()
            await resident.stop()
        for threads in (self._searching, self._building):
            await asyncio.to_thread(threads.shutdown)

    def _resident(self, space: Space) -> Resident:
        """The space, now the most recently searched."""
        resident = self._residents.get(space.id)
        if resident is None:
            resident = Resident(space, self._log, self._building, self._loads, self._budget_bytes, self._weigh)
            self._residents[space.id] = resident
            self._weigh(resident)
        self._residents.move_to_end(space.id)
        return resident

    def _weigh(self, resident: Resident) -> None:
        """Note the size of a space, and let others leave if it is too much."""
        key = resident.space.id
        if self._residents.get(key) is resident:
            size = resident.nbytes
            self._total_bytes += size - self._sizes.get(key, 0)
            self._sizes[key] = size
            while self._total_bytes > self._budget_bytes and len(self._residents) > 1:
                self._drop(next(iter(self._residents)))

    def _drop(self, key: UUID) -> None:
        """Let go of a space. What still runs for it ends by itself."""
        if self._residents.pop(key, None) is not None:
            self._total_bytes -= self._sizes.pop(key)
