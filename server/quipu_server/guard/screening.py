"""The guard before all writes."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from quipu_server.domain import Memory, MemoryFields
from quipu_server.errors import ContentBlocked
from quipu_server.guard.policies import EVERYTHING_PASSES, GuardPolicies, GuardPolicy
from quipu_server.guard.walking import Walk
from quipu_server.inputs import Draft, Patch

INLINE_CHARACTERS = 10_000
"""What is screened in a few milliseconds; more goes to a thread, so that others are served meanwhile."""


class Guard:
    """Screens what callers want to store, as their tenants want it, before anything is made of it."""

    def __init__(self, policies: GuardPolicies) -> None:
        self._policies = policies

    async def policy(self, tenant: str) -> GuardPolicy:
        """What is done for a tenant."""
        return await self._policies.policy(tenant)

    async def drafts(self, tenant: str, drafts: Sequence[Draft]) -> Sequence[Draft]:
        """The drafts without personal data. Raises ContentBlocked for the first that has a secret."""
        checked = await self.each(tenant, drafts)
        for draft in checked:
            if isinstance(draft, ContentBlocked):
                raise draft
        return [draft for draft in checked if isinstance(draft, Draft)]

    async def each(self, tenant: str, drafts: Sequence[Draft]) -> Sequence[Draft | ContentBlocked]:
        """Each draft without personal data, or why it is refused."""
        if (policy := await self._policies.policy(tenant)) == EVERYTHING_PASSES:
            return drafts
        if sum(_size(draft.fields) for draft in drafts) < INLINE_CHARACTERS:
            return [_screen(policy, draft) for draft in drafts]
        return await asyncio.to_thread(lambda: [_screen(policy, draft) for draft in drafts])

    async def retold(self, tenant: str, drafts: Sequence[Draft], memories: Sequence[Memory]) -> Sequence[Memory]:
        """Memories that were stored before, each with what was redacted in its draft then, as far as that is known."""
        screened = await self.each(tenant, drafts)
        return [_retold(memory, draft) for memory, draft in zip(memories, screened, strict=True)]

    def patch(self, policy: GuardPolicy, patch: Patch, *, anew: bool) -> Patch:
        """The patch without personal data. anew: it makes a memory, of all its fields. Raises ContentBlocked."""
        walk = Walk(policy, "memory")
        fields = walk.fields(patch.fields, None if anew else patch.paths)
        return replace(patch, fields=fields, redactions=tuple(walk.redactions))

    def patched(self, policy: GuardPolicy, patch: Patch, memory: Memory) -> Memory:
        """A memory that a patch made, now or before, with what was redacted in the patch, as far as that is known."""
        for anew in [True, False] if policy.redact_personal else []:
            with suppress(ContentBlocked):
                screened = self.patch(policy, patch, anew=anew)
                fields = screened.fields if anew else screened.apply(memory.fields)
                if _texts(fields) == _texts(memory.fields):
                    return told(memory, screened)
        return memory


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
        return replace(draft, fields=walk.fields(draft.fields), redactions=tuple(walk.redactions))
    except ContentBlocked as error:
        return error


def _size(fields: MemoryFields) -> int:
    """Characters, about: metadata is bounded."""
    return len(fields.content) + sum(len(value) for value in fields.metadata.values() if isinstance(value, str))


def _texts(fields: MemoryFields) -> tuple[object, ...]:
    return fields.content, fields.speaker, fields.tags, fields.metadata
