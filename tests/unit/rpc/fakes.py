"""Use cases that answer what a test tells them, and remember what they were asked."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np

from quipu_server.domain import (
    EmbeddedText,
    Memory,
    MemoryFields,
    ModelInfo,
    Path,
    Purpose,
    RequestKey,
    Space,
    SpaceStatus,
    TextToEmbed,
    Vector,
    Verdict,
)
from quipu_server.errors import NotFound
from quipu_server.indexes import IndexReport, IndexState
from quipu_server.inputs import Draft, Listing, Page, Patch, Target
from quipu_server.ports import NEWEST, Lane
from quipu_server.ports.uses import Use
from quipu_server.search import Answer, ScoredHit, SearchQuery, SearchSlice, Summary
from quipu_server.spaces import SpaceSettings
from quipu_server.weights import DEFAULT_WEIGHTS, RankingWeights

THEN = datetime(2024, 5, 1, 10, 0, 0, 123456, UTC)
NIL = UUID(int=0)


def memory(memory_id: str = "m", revision: int = 1, fields: MemoryFields | None = None, **more: Any) -> Memory:
    return Memory(memory_id, fields or MemoryFields("content"), revision, revision, NIL, THEN, THEN, **more)


def space_status(name: str = "a", ranking: RankingWeights | None = None) -> SpaceStatus:
    space = Space(NIL, "default", name, "m", "f", ranking=ranking or RankingWeights(), create_time=THEN)
    return SpaceStatus(space, 7, 3)


class FakeIndexes:
    """Describes one index."""

    def __init__(self) -> None:
        self.asked: tuple[Any, ...] = ()
        self.answer = IndexReport(space_status().space, IndexState.COLD, 7)

    async def describe(self, tenant: str, name: str, recall_sample: int) -> IndexReport:
        self.asked = (tenant, name, recall_sample)
        return self.answer


class FakeMemories:
    """Remembers the last call; keeps `stored`; fails or waits when told to."""

    def __init__(self) -> None:
        self.asked: tuple[Any, ...] = ()
        self.stored = [memory(f"m{i}", i) for i in range(1, 6)]
        self.failure: BaseException | None = None
        self.delay_s = 0.0
        self.reached = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def create(
        self, tenant: str, space: str, drafts: Sequence[Draft], request: RequestKey | None
    ) -> Sequence[Memory]:
        self.asked = (tenant, space, drafts, request)
        return [memory(draft.memory_id or "made", i, draft.fields) for i, draft in enumerate(drafts, start=1)]

    async def get(self, target: Target, revision: int = NEWEST) -> Memory:
        self.asked = (target,)
        self.reached.set()
        try:
            await asyncio.sleep(self.delay_s)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        if self.failure is not None:
            raise self.failure
        return memory(target.memory_id)

    async def batch_get(self, tenant: str, space: str, memory_ids: Sequence[str]) -> Mapping[str, Memory]:
        self.asked = (tenant, space, memory_ids)
        return {m.memory_id: m for m in self.stored}

    async def update(
        self, target: Target, patch: Patch, *, etag: str, allow_missing: bool, request: RequestKey | None
    ) -> Memory:
        self.asked = (target, patch, etag, allow_missing, request)
        return memory(target.memory_id, 2, patch.fields)

    async def delete(self, target: Target, *, etag: str, allow_missing: bool, request: RequestKey | None) -> int:
        self.asked = (target, etag, allow_missing, request)
        return 9

    async def undelete(self, target: Target, *, request: RequestKey | None) -> Memory:
        self.asked = (target, request)
        return memory(target.memory_id, 10)

    async def judge(self, target: Target, verdict: Verdict, *, request: RequestKey | None) -> Memory:
        self.asked = (target, verdict, request)
        return memory(target.memory_id, 11, MemoryFields("x").judged(verdict))

    async def list(self, tenant: str, space: str, listing: Listing) -> Page:
        self.asked = (tenant, space, listing)
        begin = 0 if listing.after is None else [m.memory_id for m in self.stored].index(listing.after[1]) + 1
        page = self.stored[begin : begin + listing.limit]
        is_last = begin + listing.limit >= len(self.stored)
        time = None if listing.order_by == "event_time" else page[-1].create_time
        return Page(page, None if is_last else (time, page[-1].memory_id), listing.revision or 5)

    async def history(self, target: Target, before: int | None, limit: int) -> Sequence[Memory]:
        self.asked = (target, before, limit)
        return [m for m in reversed(self.stored) if before is None or m.revision < before][:limit]


class FakeUses:
    """Each memory was found as often as its number says."""

    async def get(self, tenant: str, space: str, memory_ids: Sequence[str]) -> Mapping[str, Use]:
        return {key: Use(int(key[1:]), THEN) for key in memory_ids if key != "m0"}


class FakeSpaces:
    """Remembers the last call; has the spaces a to e."""

    def __init__(self) -> None:
        self.asked: tuple[Any, ...] = ()

    async def create(self, tenant: str, name: str, settings: SpaceSettings, request: RequestKey | None) -> SpaceStatus:
        self.asked = (tenant, name, settings, request)
        return space_status(name, settings.ranking)

    async def get(self, tenant: str, name: str) -> SpaceStatus:
        self.asked = (tenant, name)
        if name not in "abcde":
            raise NotFound("space", f"spaces/{name}")
        return space_status(name)

    async def list(self, tenant: str, after: str, limit: int, prefixes: Sequence[str] = ()) -> Sequence[SpaceStatus]:
        self.asked = (tenant, after, limit)
        return [space_status(name) for name in "abcde" if name > after][:limit]

    async def update(
        self,
        tenant: str,
        name: str,
        settings: SpaceSettings,
        paths: frozenset[str],
        *,
        etag: str,
        request: RequestKey | None,
    ) -> SpaceStatus:
        self.asked = (tenant, name, settings, paths, etag, request)
        return space_status(name)

    async def delete(self, tenant: str, name: str, *, etag: str, force: bool, request: RequestKey | None) -> int:
        self.asked = (tenant, name, etag, force, request)
        return 3


class FakeSearch:
    """Finds `hit_count` hits in slices of 50; waits before each when told to."""

    def __init__(self) -> None:
        self.asked: SearchQuery | None = None
        self.hit_count = 3
        self.delay_s = 0.0
        self.failure: Exception | None = None
        self.closed = asyncio.Event()

    async def search(self, query: SearchQuery) -> AsyncIterator[SearchSlice]:
        self.asked = query
        try:
            for start in range(0, max(self.hit_count, 1), 50):
                await asyncio.sleep(self.delay_s)
                if self.failure is not None:
                    raise self.failure
                count = min(50, self.hit_count - start)
                is_last = start + count >= self.hit_count
                yield SearchSlice([self._hit(start + i) for i in range(count)], self._summary() if is_last else None)
        finally:
            self.closed.set()

    def _hit(self, i: int) -> ScoredHit:
        return ScoredHit(space_status().space, memory(f"m{i}"), 1.0 - i / 100, 0.5, (0, 7), None)

    def _summary(self) -> Summary:
        answers = (Answer("a", 7, Path.HOT, 12), Answer("b", 0, Path.STORE, None))
        return Summary(self.hit_count, answers, THEN, DEFAULT_WEIGHTS, (("embed", 0.0015),))


class FakeEmbedder:
    """Has one model of two dimensions."""

    def __init__(self) -> None:
        self.asked: tuple[Any, ...] = ()
        self.info = ModelInfo("m", 2, 256, "mean", "query: ", "", "f", is_default=True)

    def models(self) -> Sequence[ModelInfo]:
        return [self.info]

    def model(self, name: str) -> ModelInfo:
        if name not in ("", "m"):
            raise NotFound("model", f"models/{name}")
        return self.info

    async def embed(
        self, model: str, texts: Sequence[TextToEmbed], purpose: Purpose, lane: Lane
    ) -> Sequence[EmbeddedText]:
        self.asked = (model, texts, purpose, lane)
        vectors = np.array([[1, 0], [0, 1]], np.float32)
        return [EmbeddedText(vectors, np.array([[0, 2], [1, 3]], np.int32), 5) for _ in texts]

    async def embed_query(self, model: str, text: str) -> Vector:
        raise NotImplementedError

    async def count_tokens(self, model: str, texts: Sequence[str]) -> Sequence[int]:
        self.asked = (model, texts)
        return [len(text) for text in texts]
