"""Checks what indexes find against what they hold: graphs find nearly all, and nobody would see it if they did not."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from statistics import fmean
from typing import TypeAlias
from uuid import UUID

import structlog

from quipu_server.domain import Space
from quipu_server.hot import reporting
from quipu_server.hot.contents import Contents
from quipu_server.indexes import RecallCheck
from quipu_server.measuring import Sample
from quipu_server.measuring.metrics import HOT_RECALL, HOT_RECALL_CHECKS

EVERY_S = 900.0
SAMPLE = 8
"""Memories of each space: for one, all of its vectors are compared."""

EXPECTED = 0.95
"""What is lower is told: 0.99 and more are usual, but few memories make a rough measure."""

Index: TypeAlias = tuple[Space, Contents]

log = structlog.get_logger(__name__)


class RecallChecks:
    """Finds the nearest to some memories both ways. threads: where it compares."""

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._recalls: dict[UUID, float] = {}
        self._count = 0

    async def check(self, contents: Contents, sample_size: int) -> RecallCheck | None:
        """The recall of an index; None when it is empty."""
        run = asyncio.get_running_loop().run_in_executor
        slots = reporting.sample_of(contents, sample_size).tolist()
        recalls = [await run(self._threads, reporting.recall_of, contents, slot) for slot in slots]
        return RecallCheck(len(recalls), reporting.NEAREST, fmean(recalls)) if recalls else None

    async def run(self, indexes: Callable[[], Sequence[Index]]) -> None:
        """Check all indexes from time to time, for as long as the server runs."""
        while True:
            await asyncio.sleep(EVERY_S)
            await self.check_all(indexes())

    async def check_all(self, indexes: Sequence[Index]) -> None:
        """Check those that have a graph; what was found of others before is forgotten."""
        recalls = {}
        for space, contents in indexes:
            if contents.graph is None or (found := await self.check(contents, SAMPLE)) is None:
                continue
            recalls[space.id] = found.recall
            self._count += 1
            if found.recall < EXPECTED:
                log.warning("low_recall", space=str(space.id), recall=round(found.recall, 4))
        self._recalls = recalls

    def samples(self) -> Iterable[Sample]:
        """The lowest recall of the last checks."""
        yield HOT_RECALL.of(min(self._recalls.values(), default=1.0))
        yield HOT_RECALL_CHECKS.of(self._count)
