"""Makes an index of a space, and lets it follow the log."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

import structlog

from quipu_server.domain import Space
from quipu_server.hot.index import HotIndex, LogGap
from quipu_server.hot.snapshots import Snapshots
from quipu_server.hot.tuning import DEFAULT_TUNING, Tuning
from quipu_server.ports import LogSource

SMALL_REVISION = 256
"""A space that has come no further is loaded sooner than it is searched in the database."""

PAGE_ROWS = 512
"""Revisions of the log read and applied at once."""

INLINE_ROWS = 32
"""So many rows are applied on the event loop: going to a thread and back costs more."""

LARGE_LOADS = 2
"""Large indexes loaded at once: each keeps a processor and a connection to the database busy."""

SMALL_LOADS = 4
"""Small indexes loaded at once, so that connections are left for those who search and write."""

Progress = Callable[[HotIndex], None]
"""Told of an index that grows; raises what ends the load."""

log = structlog.get_logger(__name__)


class Diverged(Exception):
    """The database has another history than the index: it was restored, or another server took over that had less."""


class Outdated(Exception):
    """To build an index anew is less work than to follow the log from where it stands, or it holds what was erased."""


def is_small(revision: int) -> bool:
    """Whether a space that has come so far is loaded while its first reader waits."""
    return revision <= SMALL_REVISION


@dataclass(frozen=True, slots=True)
class Turns:
    """How many loads may run at once."""

    small: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(SMALL_LOADS))
    large: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LARGE_LOADS))

    def of(self, revision: int) -> asyncio.Semaphore:
        """Those of spaces that have come so far."""
        return self.small if is_small(revision) else self.large


class Loader:
    """Reads logs and snapshots. threads: for work that would hold the event loop up."""

    def __init__(
        self,
        source: LogSource,
        threads: Executor,
        snapshots: Snapshots | None = None,
        tuning: Tuning = DEFAULT_TUNING,
    ) -> None:
        self._source = source
        self._threads = threads
        self._snapshots = snapshots
        self._tuning = tuning
        self.turns = Turns()
        self.outcomes: Counter[str] = Counter()

    def empty(self) -> HotIndex:
        """An index of nothing."""
        return HotIndex(self._tuning)

    def is_busy(self, revision: int) -> bool:
        """Whether a space that has come so far would have to wait for others to be loaded."""
        return self.turns.of(revision).locked()

    def may_resume(self, space: Space) -> bool:
        """Whether there is a snapshot to go on from."""
        return self._snapshots is not None and self._snapshots.exists(space)

    def discard(self, space: Space) -> None:
        """Remove the snapshot of a space, if there is one."""
        if self._snapshots is not None:
            self._snapshots.discard(space)

    async def load(self, space: Space, revision: int, progress: Progress) -> tuple[HotIndex, float]:
        """An index at a revision or later, and the monotonic time when it was compared with the log.

        Raises LogGap when the log does not go so far, Diverged when its history changes meanwhile.
        """
        return await self.resume(space, revision, progress) or await self.build(space, revision, progress)

    async def resume(self, space: Space, revision: int, progress: Progress) -> tuple[HotIndex, float] | None:
        """The index of a snapshot, taken further; None if there is none that is worth it."""
        if self._snapshots is None or (index := await self._snapshots.load(space, self._tuning)) is None:
            return None
        contents, asked_s = index.contents, time.monotonic()
        try:
            if await self._source.nonce(space, contents.revision) != contents.nonce:
                raise Diverged(f"revision {contents.revision} is another one in the database")
            if revision - contents.revision > max(PAGE_ROWS, contents.live_count):
                raise Outdated(f"it is {revision - contents.revision} revisions behind")
            progress(index)
            while index.contents.revision < revision:
                asked_s = await self.follow(space, index, revision)
                progress(index)
            if index.holds_erased:
                raise Outdated("it holds memories that were erased since")
            await self.merge(index)
        except (Diverged, Outdated, LogGap) as error:
            log.warning("discarded the snapshot of an index", space=space.id, error=str(error))
            self._snapshots.discard(space)
            return None
        self.outcomes["snapshot"] += 1
        return index, asked_s

    async def build(self, space: Space, revision: int, progress: Progress) -> tuple[HotIndex, float]:
        """An index of what is live. Raises LogGap, Diverged."""
        index, nonce = self.empty(), await self._nonce(space, revision)
        async for rows in self._source.snapshot(space, revision):
            await self._run(index.append, rows)
            progress(index)
        index.publish(revision, nonce)
        await self.merge(index)
        asked_s = time.monotonic()
        if await self._nonce(space, revision) != nonce:
            raise Diverged("the history changed while it was read")
        self.outcomes["database"] += 1
        return index, asked_s

    async def follow(self, space: Space, index: HotIndex, goal: int) -> float:
        """Apply the next rows of the log; the monotonic time of asking for them. Nobody else writes to the index.

        Raises Diverged when the log has another history than the index, LogGap when it ends before the goal.
        """
        contents, asked_s = index.contents, time.monotonic()
        rows, nonce = await self._source.tail(space, contents.revision, goal, PAGE_ROWS)
        if nonce != contents.nonce:
            raise Diverged(f"revision {contents.revision} is another one in the database")
        if not rows and contents.revision < goal:
            raise LogGap(f"the log ends before revision {goal}")
        if len(rows) > INLINE_ROWS:
            await self._run(index.follow, rows)
        elif rows:
            index.follow(rows)
        return asked_s

    async def merge(self, index: HotIndex) -> None:
        """Join segments, if there are any to join, and ask for a graph if one is due."""
        if index.is_scattered or index.is_bulky:
            await self._run(index.merge)

    async def _nonce(self, space: Space, revision: int) -> int:
        nonce = await self._source.nonce(space, revision)
        if revision and not nonce:
            raise LogGap(f"the log ends before revision {revision}")
        return nonce

    async def _run(self, work: Callable[..., None], *arguments: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
