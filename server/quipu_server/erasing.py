"""The use case of erasing: destroying memories with all that was made of them."""

from dataclasses import dataclass

from quipu_server.ports import SearchViews
from quipu_server.ports.erasing import Erasure, ErasureCounts, ErasureStore, Traces
from quipu_server.ports.jobs import SYSTEM, JobStore, NewJob
from quipu_server.spaces import Spaces

STEP = 500
"""Memories erased in one transaction."""

VACUUM = "vacuum"
"""The kind of job that lets the database write over what is gone."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased, and what was left of it; None when nothing was erased in earnest."""

    erased: ErasureCounts
    left: ErasureCounts | None
    revision: int


class Erasing:
    """Erases memories."""

    def __init__(self, store: ErasureStore, spaces: Spaces, views: SearchViews, jobs: JobStore) -> None:
        self._store = store
        self._spaces = spaces
        self._views = views
        self._jobs = jobs

    async def count(self, tenant: str, space: str, erasure: Erasure) -> Receipt:
        """What would be erased. Raises NotFound for the space."""
        home = await self._spaces.find(tenant, space)
        counts, revision = await self._store.count(home, erasure)
        return Receipt(counts, None, revision)

    async def erase(self, tenant: str, space: str, erasure: Erasure) -> Receipt:
        """Erase, and look afterwards what is left. Raises NotFound for the space.

        Other servers learn of it from the log; this one lets go of what it holds of the space at once.
        """
        home = await self._spaces.find(tenant, space)
        erased, traces, revision = ErasureCounts(), Traces(), 0
        try:
            while True:
                step = await self._store.erase_some(home, erasure, STEP)
                erased, traces, revision = erased + step.counts, traces + step.traces, step.revision
                if step.counts.memories < STEP:
                    break
        finally:
            if erased.memories:
                self._views.forget(home)
        if erased.memories:
            await self._jobs.enqueue(NewJob(SYSTEM, VACUUM, key=VACUUM))
        left = await self._store.count_left(home, traces)
        return Receipt(erased, left, revision)
