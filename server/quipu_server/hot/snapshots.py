"""Writes snapshots of indexes in the background, and reads them."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import structlog

from quipu_server.domain import Space
from quipu_server.hot.contents import Contents
from quipu_server.hot.flight import Flight
from quipu_server.hot.index import HotIndex
from quipu_server.hot.snapshot_file import Abandoned
from quipu_server.hot.snapshot_store import Saved, SnapshotStore
from quipu_server.hot.tuning import Tuning
from quipu_server.measuring import Sample
from quipu_server.measuring.metrics import SNAPSHOT_BYTES, SNAPSHOTS
from quipu_server.ports import LogSource

SAVE_AFTER = 1_000
"""Revisions, or rows of a graph, since the last snapshot that are worth a new one while the server runs."""

SAVE_SHARE = 4
"""And one memory of so many must have changed, so that a large space is not written again and again."""

SAVE_AT_END = 256
"""Revisions that are worth a new snapshot when the server stops: reading fewer from the database takes no time."""

PAUSE_S = 60.0
"""No snapshot is written so long after one could not be: the disk may be full."""

THREADS = 2
"""One writes; the other is there for those who load."""

log = structlog.get_logger(__name__)


class Snapshots:
    """Keeps snapshots up to date. Lives on one event loop; who made it closes it."""

    def __init__(self, store: SnapshotStore) -> None:
        self._store = store
        self._threads = ThreadPoolExecutor(THREADS, "quipu-snapshot")
        self._saved: dict[UUID, Saved] = {}
        self._waiting: dict[UUID, tuple[Space, Contents]] = {}
        self._writing: UUID | None = None
        self._is_doomed = False
        """Whether what is being written was discarded meanwhile."""
        self._saving = Flight(self._save_waiting)
        self._paused_until_s = 0.0
        self._ends_s = math.inf
        self._outcomes: Counter[str] = Counter()

    def samples(self) -> Iterable[Sample]:
        """What was written, and what it takes on disk."""
        yield from (SNAPSHOTS.of(self._outcomes[result], result) for result in ("written", "failed"))
        yield SNAPSHOT_BYTES.of(sum(saved.nbytes for saved in self._saved.values()))

    def saved(self, space: Space) -> Saved | None:
        """The snapshot of a space, if one was written or read by this process."""
        return self._saved.get(space.id)

    def exists(self, space: Space) -> bool:
        """Whether there is a snapshot of a space."""
        return self._store.exists(space)

    async def load(self, space: Space, tuning: Tuning) -> HotIndex | None:
        """The index of the snapshot of a space; None if there is none that can be used."""
        loaded = await asyncio.get_running_loop().run_in_executor(self._threads, self._store.load, space, tuning)
        if loaded is None:
            return None
        index, self._saved[space.id] = loaded
        return index

    def discard(self, space: Space) -> None:
        """Remove the snapshot of a space."""
        self._remove(space.id)

    async def tidy(self, source: LogSource) -> None:
        """Remove snapshots of spaces that are gone, or that were erased something of. Raises StoreUnavailable."""
        found = await asyncio.get_running_loop().run_in_executor(self._threads, self._store.revisions)
        heads = await source.heads(list(found)) if found else {}
        for key, revision in found.items():
            if key not in heads or revision < heads[key].erased:
                log.info("removed the snapshot of an index: some of it is to be gone", space=key)
                self._remove(key)

    def _remove(self, key: UUID) -> None:
        self._waiting.pop(key, None)
        self._saved.pop(key, None)
        self._is_doomed |= key == self._writing
        self._threads.submit(self._store.remove, key)

    def consider(self, space: Space, contents: Contents) -> None:
        """Write a snapshot in the background if enough has changed since the last one."""
        if self._unsaved(space, contents) < max(SAVE_AFTER, contents.live_count // SAVE_SHARE):
            return
        if time.monotonic() >= self._paused_until_s:
            self._waiting[space.id] = (space, contents)
            self._saving.start()

    async def close(self, last: Iterable[tuple[Space, Contents]], within_s: float) -> None:
        """Write what is worth it, for as long as there is time, most changes first."""
        self._ends_s = time.monotonic() + within_s
        worth = [pair for pair in last if self._unsaved(*pair) >= SAVE_AT_END]
        worth.sort(key=lambda pair: -self._unsaved(*pair))
        self._waiting = {space.id: (space, contents) for space, contents in worth}
        await self._saving.join()
        await asyncio.to_thread(self._threads.shutdown)

    def _unsaved(self, space: Space, contents: Contents) -> int:
        """What a restart would do again: revisions since the last snapshot, or rows that have a graph since then.

        As many as there are when it was of another history.
        """
        saved = self._saved.get(space.id)
        if saved is None or saved.revision > contents.revision:
            return contents.revision
        return max(contents.revision - saved.revision, contents.graph_rows - saved.graph_rows)

    async def _save_waiting(self) -> bool:
        """Write one after the other. Tells whether all went well."""
        while self._waiting:
            space, contents = self._waiting.pop(next(iter(self._waiting)))
            self._writing, self._is_doomed = space.id, False
            try:
                self._saved[space.id] = await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._store.save, space, contents, self._is_over
                )
                self._outcomes["written"] += 1
                self._writing = None
                if self._is_doomed:
                    self._remove(space.id)
            except Abandoned:
                log.warning("stopped before all snapshots were written", left=len(self._waiting) + 1)
                self._waiting.clear()
                return False
            except Exception as error:
                self._outcomes["failed"] += 1
                log.warning("cannot write the snapshot of an index", space=space.id, error=repr(error))
                self._paused_until_s = time.monotonic() + PAUSE_S
                self._waiting.clear()
                return False
        return True

    def _is_over(self) -> bool:
        return time.monotonic() > self._ends_s
