"""Counts how often memories are found: in memory first, so that no search waits, and in the store now and then."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import structlog

from quipu_server.domain import Space
from quipu_server.errors import StoreUnavailable
from quipu_server.ports.uses import Use, UseStore
from quipu_server.spaces import Spaces

FLUSH_EVERY_S = 30.0
"""What is younger is lost when the process is killed."""

MOST_WAITING = 100_000
"""Memories whose counts wait, about 20 MB; while the store is away others are not counted."""

log = structlog.get_logger(__name__)


class Uses:
    """Counts, and tells what was counted."""

    def __init__(self, store: UseStore, spaces: Spaces) -> None:
        self._store = store
        self._spaces = spaces
        self._waiting: dict[Space, Counter[str]] = {}
        self._room = MOST_WAITING

    def count(self, space: Space, memory_ids: Iterable[str]) -> None:
        """Note that a search returned these."""
        waiting = self._waiting.setdefault(space, Counter())
        for memory_id in memory_ids:
            if memory_id in waiting:
                waiting[memory_id] += 1
            elif self._room > 0:
                waiting[memory_id] = 1
                self._room -= 1

    async def run(self) -> None:
        """Store the counts now and then, for as long as the server runs."""
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            await self.flush()

    async def flush(self) -> None:
        """Store what was counted; what cannot be stored waits for the next time."""
        while self._waiting:
            space, counts = self._waiting.popitem()
            self._room += len(counts)
            try:
                await self._store.add_uses(space, counts)
            except StoreUnavailable as error:
                self._waiting.setdefault(space, Counter()).update(counts)
                self._room -= len(counts)
                log.warning("uses_not_stored", reason=str(error))
                return

    async def of(self, space: Space, memory_ids: Sequence[str]) -> Mapping[str, Use]:
        """What was stored of some memories; those that were never found are missing."""
        return await self._store.uses(space, memory_ids)

    async def get(self, tenant: str, space: str, memory_ids: Sequence[str]) -> Mapping[str, Use]:
        """The same by the name of the space. Raises NotFound."""
        return await self.of(await self._spaces.find(tenant, space), memory_ids)
