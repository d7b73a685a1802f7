"""Reads the memories that searches found, for many searches at once."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, TypeAlias

import numpy as np

from quipu_server.domain import Memory, Revisions, Space
from quipu_server.ports import MemoryStore
from quipu_server.search.batches import Batches

Source: TypeAlias = tuple[Space, bool]
"""A space, and whether it is read as it was."""


class Wanted(NamedTuple):
    """What one search found, and the time it was made for."""

    revisions: Revisions
    now: datetime


class Hydration:
    """Joins reads of a space that wait at the same time into one query, begun after each was asked."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._batches = Batches(self._read)

    async def read(self, space: Space, revisions: Revisions, now: datetime, *, past: bool) -> Mapping[int, Memory]:
        """Those of the versions that `MemoryStore.hydrate` gives. Raises StoreUnavailable."""
        found = await self._batches.ask((space, past), Wanted(revisions, now))
        own = ((revision, found.get(revision)) for revision in revisions.tolist())
        return {revision: memory for revision, memory in own if memory is not None and not memory.is_expired(now)}

    async def _read(self, source: Source, wanted: Sequence[Wanted]) -> Mapping[int, Memory]:
        space, past = source
        revisions = {revision for each in wanted for revision in each.revisions.tolist()}
        return await self._store.hydrate(
            space, np.array(list(revisions), np.int64), min(each.now for each in wanted), past=past
        )
