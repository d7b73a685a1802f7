"""A hot index as a view to search."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TypeVar

import numpy as np

from quipu_server.domain import Evidence, Path, Revisions, Space, Surroundings, TermStatistics, Vector
from quipu_server.filters import Condition
from quipu_server.hot import candidates, conditions, dense
from quipu_server.hot.columns import NEVER, microseconds
from quipu_server.hot.contents import Contents
from quipu_server.hot.segment import Mask
from quipu_server.hot.sessions import NO_SLOT
from quipu_server.hot.words import Matches
from quipu_server.ports import LogSource, Selection

INLINE_ROWS = 16_384
"""Indexes of so many rows are searched on the event loop, in 0.3 ms; going to a thread and back costs 0.06."""

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class HotSelection:
    """Slots as a mask; None means all of them."""

    mask: Mask | None
    count: int


class HotView:
    """The SearchView over the contents of a hot index, for one search: it keeps what the search asks for again."""

    path = Path.HOT

    def __init__(self, space: Space, contents: Contents, log: LogSource, threads: Executor) -> None:
        self.space = space
        self.revision = contents.revision
        self.plan = ""
        self._contents = contents
        self._log = log
        self._threads = threads
        self._found: tuple[Sequence[str], Matches] | None = None

    @property
    def is_aside(self) -> bool:
        return self._contents.row_count > INLINE_ROWS

    async def unembedded_count(self) -> int:
        """How many memories have no vector yet."""
        return len(self._contents.unembedded)

    async def select(self, condition: Condition | None, now: datetime) -> HotSelection:
        """Resolve a filter: by columns if they can, else in the database."""
        contents = self._contents
        masks = [] if contents.all_live else [contents.live]
        if (instant := microseconds(now)) >= contents.earliest_expiry:
            expiries = contents.columns.times["expire_time"]
            masks.append((expiries == NEVER) | (expiries > instant))
        if condition is not None:
            masks.append(await self._matches(condition))
        if not masks:
            return HotSelection(None, contents.live_count)
        mask = np.logical_and.reduce(masks)
        return HotSelection(mask, int(np.count_nonzero(mask)))

    async def dense(self, query: Vector, depth: int, selection: Selection) -> Revisions:
        """The `depth` selected memories with the highest cosine of their best chunk, best first."""
        found = await self._run(partial(dense.search, self._contents, query, depth, _mask(selection)))
        self.plan = str(found.plan)
        return self._contents.columns.revisions[found.slots]

    async def statistics(self, terms: Sequence[str]) -> TermStatistics:
        """Statistics of the space for these terms."""
        return await self._run(lambda: self._find(terms).statistics())

    async def lexical(
        self, terms: Sequence[str], statistics: TermStatistics, depth: int, selection: Selection
    ) -> Revisions:
        """The `depth` selected memories with the highest BM25 score above 0, best first. The terms are distinct."""
        mask = _mask(selection)
        slots = await self._run(lambda: self._find(terms).best(statistics, depth, mask))
        return self._contents.columns.revisions[slots]

    async def surroundings(self, revisions: Revisions, selection: Selection) -> Surroundings:
        """The messages before and after each, and whether the selection has them."""
        columns, live = self._contents.columns, self._contents.live
        beside = self._contents.sessions.neighbours(columns.revisions.searchsorted(revisions), live)
        there, mask = beside != NO_SLOT, _mask(selection)
        return Surroundings(
            np.where(there, columns.revisions[beside], 0) if len(live) else np.zeros_like(beside),
            there if mask is None else there & mask[beside],
        )

    async def evidence(
        self,
        revisions: Revisions,
        query: Vector | None,
        terms: Sequence[str],
        statistics: TermStatistics | None,
        *,
        with_sessions: bool = False,
    ) -> Evidence:
        """What ranking needs to know of memories of this view."""
        return await self._run(
            lambda: candidates.evidence(
                self._contents, revisions, query, self._find(terms), statistics, with_sessions=with_sessions
            )
        )

    def _find(self, terms: Sequence[str]) -> Matches:
        """Where the terms occur, looked up once for all that is asked of them."""
        if self._found is None or self._found[0] != terms:
            self._found = terms, Matches(self._contents, terms)
        return self._found[1]

    async def _matches(self, condition: Condition) -> Mask:
        columns = self._contents.columns
        if conditions.can_answer(condition):
            return await self._run(partial(conditions.matches, condition, columns))
        return np.isin(columns.revisions, await self._log.matching(self.space, condition, self.revision))

    async def _run(self, compute: Callable[[], ResultT]) -> ResultT:
        """Compute here when it is soon done, else in a thread."""
        if not self.is_aside:
            return compute()
        return await asyncio.get_running_loop().run_in_executor(self._threads, compute)


def _mask(selection: Selection) -> Mask | None:
    if not isinstance(selection, HotSelection):
        raise TypeError("a selection is good for the view that made it")
    return selection.mask
