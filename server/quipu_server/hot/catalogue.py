"""Which spaces are hot."""

import asyncio
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID

from quipu_server.domain import Head, Space
from quipu_server.errors import StoreUnavailable
from quipu_server.hot import reporting
from quipu_server.hot.budget import Budget
from quipu_server.hot.estimate import Estimate
from quipu_server.hot.loading import LARGE_LOADS, Loader
from quipu_server.hot.resident import BASE_BYTES, Resident
from quipu_server.hot.search_view import HotView
from quipu_server.hot.self_check import RecallChecks
from quipu_server.hot.snapshots import Snapshots
from quipu_server.hot.tuning import DEFAULT_TUNING, Tuning
from quipu_server.indexes import IndexReport
from quipu_server.measuring import Sample
from quipu_server.measuring.metrics import HOT_EVICTIONS, HOT_VISITS
from quipu_server.ports import LogSource, SearchView

ColdViews = Callable[[Space, int], SearchView]
"""Gives a view of a space at a revision that needs no index."""


TIDY_EVERY_S = 600.0
TIDY_RETRY_S = 2.0


class HotCatalogue:
    """The SearchViews: hot where an index is at hand, cold meanwhile.

    cold: for spaces that are not hot. budget_bytes: memory for all indexes; with 0 all is cold. snapshots: where
    indexes are kept on disk; it is closed with the catalogue. tuning: of all indexes. Lives on one event loop; who made
    it closes it.
    """

    def __init__(
        self,
        source: LogSource,
        cold: ColdViews,
        budget_bytes: int,
        snapshots: Snapshots | None = None,
        tuning: Tuning = DEFAULT_TUNING,
    ) -> None:
        self._source = source
        self._cold = cold
        self._budget: Budget[UUID] = Budget(budget_bytes)
        self._searching = ThreadPoolExecutor(os.cpu_count(), "quipu-search")
        # Apart, so that no search waits for a merge.
        self._building = ThreadPoolExecutor(LARGE_LOADS, "quipu-index")
        self._checks = RecallChecks(self._building)
        self._snapshots = snapshots
        self._loader = Loader(source, self._building, snapshots, tuning)
        self._estimate = Estimate(tuning)
        self._residents: dict[UUID, Resident] = {}
        self._hits = self._misses = self._evictions = 0

    @property
    def used_bytes(self) -> int:
        """Memory of all indexes, about, with what loads that run will need."""
        return self._budget.used_bytes

    async def view(self, space: Space, at_least: Head) -> SearchView:
        """A view whose revision is at least that of the head."""
        resident = self._visit(space, at_least)
        contents = await resident.reach(at_least) if resident else None
        if contents is None:
            self._misses += 1
            return self._cold(space, at_least.revision)
        self._hits += 1
        return HotView(space, contents, self._source, self._searching)

    def past(self, space: Space, revision: int) -> SearchView:
        """A view of the space as it was at a revision."""
        return self._cold(space, revision)

    def written(self, space: Space, revision: int) -> None:
        """Tell that a write was acknowledged; a hot index catches up in the background."""
        if (resident := self._residents.get(space.id)) is not None and resident.has_model_of(space):
            resident.aim(revision)

    async def report(self, space: Space, head: Head, recall_sample: int) -> IndexReport:
        """What is held of a space."""
        resident, saved = self._residents.get(space.id), self._snapshots.saved(space) if self._snapshots else None
        report = reporting.report(space, head, resident, saved)
        if not recall_sample or resident is None or (contents := resident.contents) is None:
            return report
        return replace(report, recall=await self._checks.check(contents, recall_sample))

    async def check(self) -> None:
        """From time to time compare what large indexes find with what they hold."""
        await self._checks.run(lambda: [(r.space, r.contents) for r in self._residents.values() if r.contents])

    def samples(self) -> Iterable[Sample]:
        """What is in memory, how often it was of use, and how far behind it is."""
        yield HOT_VISITS.of(self._hits, "hit")
        yield HOT_VISITS.of(self._misses, "miss")
        yield HOT_EVICTIONS.of(self._evictions)
        yield from reporting.samples(self._budget, self._residents.values(), self._loader)
        yield from self._checks.samples()
        if self._snapshots is not None:
            yield from self._snapshots.samples()

    async def recheck(self) -> None:
        """Compare all indexes with the database, which may have another history now. Raises StoreUnavailable."""
        heads = await self._source.heads(list(self._residents))
        for key, resident in list(self._residents.items()):
            if key in heads:
                resident.check(heads[key])

    def forget(self, space: Space) -> None:
        """Tell that a space was deleted, or some of it erased: nothing that was made of it stays."""
        self._drop(space.id)
        self._budget.forget(space.id)
        if self._snapshots is not None:
            self._snapshots.discard(space)

    async def tidy(self) -> None:
        """From time to time remove the snapshots of spaces that others have deleted or erased something of."""
        while self._snapshots is not None:
            try:
                await self._snapshots.tidy(self._source)
                await asyncio.sleep(TIDY_EVERY_S)
            except StoreUnavailable:
                await asyncio.sleep(TIDY_RETRY_S)

    async def close(self, within_s: float = 0.0) -> None:
        """End all background work; for so long, write snapshots of what has changed."""
        residents, self._residents = list(self._residents.values()), {}
        for resident in residents:
            await resident.stop()
        if self._snapshots is not None:
            last = [(resident.space, contents) for resident in residents if (contents := resident.worth_keeping)]
            await self._snapshots.close(last, within_s)
        for threads in (self._searching, self._building):
            await asyncio.to_thread(threads.shutdown)

    def _visit(self, space: Space, head: Head) -> Resident | None:
        """The space, if it is in memory or worth a place there."""
        if not self._budget.limit_bytes:
            return None
        if (resident := self._residents.get(space.id)) is not None and not resident.has_model_of(space):
            if space.version < resident.space.version:
                return None  # a reader that does not know yet: the vectors it asks for are in the database
            self.forget(resident.space)
        self._budget.visit(space.id)
        resident = self._residents.get(space.id)
        if resident is None and not self._loader.is_busy(head.revision):
            expected = BASE_BYTES + self._estimate.of(head.memory_count)
            if self._budget.admits(space.id, expected):
                resident = self._residents[space.id] = Resident(space, self._loader, self._estimate, self._weigh)
        return resident

    def _weigh(self, resident: Resident) -> None:
        """Note the size of a space, and let others leave if it is too much, or the space itself."""
        if self._residents.get(resident.space.id) is resident:
            for key in self._budget.resize(resident.space.id, resident.nbytes):
                self._evictions += key in self._residents
                self._drop(key)
            if self._snapshots is not None and (contents := resident.worth_keeping) is not None:
                self._snapshots.consider(resident.space, contents)

    def _drop(self, key: UUID) -> None:
        """Let go of a space. What still runs for it ends by itself."""
        if (resident := self._residents.pop(key, None)) is not None:
            resident.release()
