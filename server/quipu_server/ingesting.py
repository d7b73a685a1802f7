"""The use case of ingesting: many memories, each stored or refused on its own."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias

from quipu_server.domain import Change, Memory, Passage, RequestKey, Space, Write
from quipu_server.errors import (
    AlreadyExists,
    Conflict,
    ContentBlocked,
    FailedPrecondition,
    ModelChanged,
    Overloaded,
    QuipuError,
    SessionEnded,
)
from quipu_server.guard import Guard, told
from quipu_server.identifiers import new_memory_id
from quipu_server.inputs import Draft
from quipu_server.passages import Passages
from quipu_server.ports import Lane, MemoryStore, SearchViews
from quipu_server.ports.embedding_later import EmbedSoon
from quipu_server.spaces import Spaces

PAUSE_S = 0.05
"""Before texts are offered to an embedder again that had no room for them."""

Outcome: TypeAlias = Memory | QuipuError


@dataclass(frozen=True, slots=True)
class Item:
    """A memory of a stream. The request tells whether it was stored before."""

    offset: int
    draft: Draft
    request: RequestKey


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An item with its indexed text, and the id it will have."""

    item: Item
    memory_id: str
    passage: Passage

    @property
    def write(self) -> Write:
        return Write(self.memory_id, Change.CREATED, self.item.draft.fields, self.passage.id, 0, self.passage)

    def told(self, memory: Memory) -> Memory:
        """What it became, with what is told in the answer alone."""
        return replace(told(memory, self.item.draft), is_waiting=not len(self.passage.vectors))


class Ingesting:
    """Stores parts of streams."""

    def __init__(
        self,
        store: MemoryStore,
        spaces: Spaces,
        passages: Passages,
        views: SearchViews,
        guard: Guard,
        soon: EmbedSoon,
    ) -> None:
        self._store = store
        self._spaces = spaces
        self._passages = passages
        self._views = views
        self._guard = guard
        self._soon = soon

    async def store(
        self, tenant: str, space: str, items: Sequence[Item], *, later: bool = False
    ) -> Mapping[int, Outcome]:
        """Store what was not stored before; what became of each, by offset. later: they are embedded by a job.

        Raises FailedPrecondition when the space cannot be written, NotFound when it is deleted meanwhile.
        """
        while True:
            home = await self._spaces.ensure(tenant, space)
            with suppress(ModelChanged):
                return await self._store_in(home, items, later=later)

    async def _store_in(self, home: Space, items: Sequence[Item], *, later: bool) -> Mapping[int, Outcome]:
        self._spaces.check_model(home)
        outcomes = dict(await self._replay(home, items))
        fits = [item for item in items if item.offset not in outcomes and self._fits(home, item, outcomes)]
        waiting = await self._prepare(home, await self._screen(home.tenant, fits, outcomes), later=later)
        while waiting:
            waiting = await self._append(home, waiting, outcomes)
        if later and fits:
            self._soon.ask(home)
        return outcomes

    async def _replay(self, home: Space, items: Sequence[Item]) -> Mapping[int, Outcome]:
        answers = await self._store.replay_each(home, [item.request for item in items])
        outcomes: dict[int, Outcome] = {i.offset: answers[i.request.id] for i in items if i.request.id in answers}
        stored = {offset: outcome for offset, outcome in outcomes.items() if isinstance(outcome, Memory)}
        drafts = [item.draft for item in items if item.offset in stored]
        memories = [stored[item.offset] for item in items if item.offset in stored]
        retold = await self._guard.retold(home.tenant, drafts, memories)
        return outcomes | dict(zip([item.offset for item in items if item.offset in stored], retold, strict=True))

    async def _screen(self, tenant: str, items: Sequence[Item], outcomes: dict[int, Outcome]) -> Sequence[Item]:
        """The items without personal data; those with secrets are refused."""
        screened = await self._guard.each(tenant, [item.draft for item in items])
        outcomes |= {
            item.offset: draft for item, draft in zip(items, screened, strict=True) if isinstance(draft, ContentBlocked)
        }
        return [
            replace(item, draft=draft) for item, draft in zip(items, screened, strict=True) if isinstance(draft, Draft)
        ]

    def _fits(self, home: Space, item: Item, outcomes: dict[int, Outcome]) -> bool:
        """Whether the vector it brings, if any, is one of the space; else it is refused."""
        try:
            if item.draft.vector is not None:
                self._passages.scale(home, item.draft.vector)
        except FailedPrecondition as error:
            outcomes[item.offset] = error
            return False
        return True

    async def _prepare(self, home: Space, items: Sequence[Item], *, later: bool) -> list[_Prepared]:
        drafts = [item.draft for item in items]
        while True:
            try:
                made = await self._passages.make(
                    home, [d.fields for d in drafts], [d.vector for d in drafts], Lane.INGEST, later=later
                )
            except Overloaded:
                await asyncio.sleep(PAUSE_S)
            else:
                ids = [draft.memory_id or new_memory_id() for draft in drafts]
                return [_Prepared(*parts) for parts in zip(items, ids, made, strict=True)]

    async def _append(self, home: Space, waiting: list[_Prepared], outcomes: dict[int, Outcome]) -> list[_Prepared]:
        """Store all, or find one that cannot be stored; those that still wait."""
        requests = [each.item.request for each in waiting]
        try:
            memories = await self._store.append_each(home, [each.write for each in waiting], requests)
        except SessionEnded as ended:
            outcomes[waiting[ended.index].item.offset] = ended
            return [*waiting[: ended.index], *waiting[ended.index + 1 :]]
        except Conflict as conflict:
            return await self._settle(home, waiting, int(conflict.metadata["index"]), outcomes)
        outcomes |= {e.item.offset: e.told(memory) for e, memory in zip(waiting, memories, strict=True)}
        self._views.written(home, memories[-1].revision)
        return []

    async def _settle(
        self, home: Space, waiting: list[_Prepared], index: int, outcomes: dict[int, Outcome]
    ) -> list[_Prepared]:
        """Refuse the one whose id is taken, unless the same stream stored it in another call; those that still wait."""
        taken = waiting[index]
        name = f"{home.resource_name}/memories/{taken.memory_id}"
        found: dict[int, Outcome] = {taken.item.offset: AlreadyExists("memory", name)}
        found |= await self._replay(home, [each.item for each in waiting])
        outcomes |= found
        return [each for each in waiting if each.item.offset not in found]
