"""The guard before all writes."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from quipu_server.access.domain import GuardPolicy
from quipu_server.domain import Memory, MemoryFields
from quipu_server.errors import ContentBlocked
from quipu_server.guard.policies import GuardPolicies
from quipu_server.guard.walking import Walk
from quipu_server.inputs import Draft, Patch

Screened = TypeVar("Screened")

INLINE_CHARACTERS = 10_000
"""What is screened in a few milliseconds; more goes to a thread, so that others are served meanwhile."""


class Guard:
    """Screens what callers want to store, as their tenants want it, before anything is made of it."""

    def __init__(self, policies: GuardPolicies) -> None:
        self._policies = policies

    async def drafts(self, tenant: str, drafts: Sequence[Draft]) -> Sequence[Draft]:
        """The drafts without personal data. Raises ContentBlocked for the first that has a secret."""
        checked = await self.each(tenant, drafts)
        for draft in checked:
            if isinstance(draft, ContentBlocked):
                raise draft
        return [draft for draft in checked if isinstance(draft, Draft)]

    async def each(self, tenant: str, drafts: Sequence[Draft]) -> Sequence[Draft | ContentBlocked]:
        """Each draft without personal data, or why it is refused."""
        if (policy := await self._policies.policy(tenant)).does_nothing:
            return drafts
        size = sum(_size(draft.fields) for draft in drafts)
        return await _run(size, lambda: [_screen(policy, draft) for draft in drafts])

    async def retold(self, tenant: str, drafts: Sequence[Draft], memories: Sequence[Memory]) -> Sequence[Memory]:
        """Memories that were stored before, each with what was redacted in its draft then, as far as that is known."""
        screened = await self.each(tenant, drafts)
        return [_retold(memory, draft) for memory, draft in zip(memories, screened, strict=True)]

    async def patch(self, tenant: str, patch: Patch) -> "ScreenedPatch":
        """A patch without personal data, for whatever is there to be changed."""
        if (policy := await self._policies.policy(tenant)).does_nothing:
            return ScreenedPatch(patch, patch)
        return await _run(
            _size(patch.fields),
            lambda: ScreenedPatch(_screen_patch(policy, patch, None), _screen_patch(policy, patch, patch.paths)),
        )


@dataclass(frozen=True, slots=True)
class ScreenedPatch:
    """A patch, or why it is refused: as a whole, to make a memory, and as far as it names fields, to change one."""

    whole: Patch | ContentBlocked
    named: Patch | ContentBlocked

    def take(self, *, anew: bool) -> Patch:
        """The patch, anew to make a memory. Raises ContentBlocked."""
        taken = self.whole if anew else self.named
        if isinstance(taken, ContentBlocked):
            raise taken
        return taken

    def told(self, memory: Memory) -> Memory:
        """A memory that the patch made, now or before, with what was redacted in it, as far as that is known."""
        for screened in (self.whole, self.named):
            if isinstance(screened, Patch):
                fields = screened.fields if screened is self.whole else screened.apply(memory.fields)
                if _texts(fields) == _texts(memory.fields):
                    return told(memory, screened)
        return memory


async def _run(size: int, screen: Callable[[], Screened]) -> Screened:
    """Screen so many characters, in a thread if they are many."""
    return screen() if size < INLINE_CHARACTERS else await asyncio.to_thread(screen)


def told(memory: Memory, screened: Draft | Patch) -> Memory:
    """The memory with what was redacted in it."""
    return replace(memory, redactions=screened.redactions) if screened.redactions else memory


def _retold(memory: Memory, screened: Draft | ContentBlocked) -> Memory:
    """The policy may have changed since: what is stored says whether it was the same."""
    if isinstance(screened, ContentBlocked) or _texts(screened.fields) != _texts(memory.fields):
        return memory
    return told(memory, screened)


def _screen(policy: GuardPolicy, draft: Draft) -> Draft | ContentBlocked:
    walk = Walk(policy, draft.path)
    try:
        walk.identifier(draft.memory_id or "", f"{draft.path.removesuffix('memory')}memory_id")
        return replace(draft, fields=walk.fields(draft.fields), redactions=(*draft.redactions, *walk.redactions))
    except ContentBlocked as error:
        return error


def _screen_patch(policy: GuardPolicy, patch: Patch, paths: Collection[str] | None) -> Patch | ContentBlocked:
    walk = Walk(policy, "memory")
    try:
        return replace(patch, fields=walk.fields(patch.fields, paths), redactions=tuple(walk.redactions))
    except ContentBlocked as error:
        return error


def _size(fields: MemoryFields) -> int:
    """Characters of content and metadata, about; the rest is short."""
    values = (value if isinstance(value, tuple) else (value,) for value in fields.metadata.values())
    return len(fields.content) + sum(len(text) for texts in values for text in texts if isinstance(text, str))


def _texts(fields: MemoryFields) -> tuple[object, ...]:
    return fields.content, fields.speaker, fields.tags, fields.metadata
