"""Decides how far a space must have been followed before it is searched."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from cachetools import LRUCache

from quipu_server.domain import Head, Space
from quipu_server.errors import FailedPrecondition
from quipu_server.ports import LogSource
from quipu_server.search.heads import Heads
from quipu_server.search.query import SearchQuery
from quipu_server.spaces import Spaces, check_kept, check_reached

REMEMBERED_SPACES = 100_000


class Freshness:
    """Finds spaces and their heads; what was read before is used only as far as the query allows."""

    def __init__(self, spaces: Spaces, log: LogSource) -> None:
        self._spaces = spaces
        self._heads = Heads(log)
        self._known: LRUCache[tuple[str, str], Space] = LRUCache(REMEMBERED_SPACES)
        self._read: LRUCache[Space, tuple[float, Head]] = LRUCache(REMEMBERED_SPACES)

    async def resolve(self, query: SearchQuery) -> Sequence[tuple[Space, Head]]:
        """The spaces of the query, each with the head a search must reach. Raises NotFound, OutOfRange."""
        spaces = [await self.space(query.tenant, name) for name in query.spaces]
        if (remembered := self._remembered(spaces, query)) is not None:
            return remembered
        asked_at = time.monotonic()
        heads = await self._heads.read([space.id for space in spaces])
        found = [await self._current(space, heads) for space in spaces]
        for space, head in found:
            self._read[space] = (asked_at, head)
            check_reached(space, head, query.at_least.get(space.name, 0))
            if (as_of := query.as_of.get(space.name)) is not None:
                check_reached(space, head, as_of)
                check_kept(space, head, as_of)
        if not query.as_of:
            return found
        return [(space, replace(head, revision=query.as_of.get(space.name, head.revision))) for space, head in found]

    async def space(self, tenant: str, name: str) -> Space:
        """The space as it was last read. Raises NotFound."""
        if (space := self._known.get((tenant, name))) is None:
            space = self._known[tenant, name] = await self._spaces.find(tenant, name)
        return space

    def check_models(self, spaces: Sequence[Space]) -> None:
        """Raise FailedPrecondition unless all spaces have vectors of one model, and the server has it."""
        for space in spaces:
            self._spaces.check_model(space)
            if space.fingerprint != spaces[0].fingerprint:
                raise mixed_models(space, spaces[0])

    async def _current(self, space: Space, heads: Mapping[UUID, Head]) -> tuple[Space, Head]:
        """The space as the head says it is now: settings change, and a name may be deleted and taken again."""
        while (head := heads.get(space.id)) is None or head.space_version != space.version:
            if self._known.get((space.tenant, space.name)) is space:  # no other search was faster
                del self._known[space.tenant, space.name]
            space = await self.space(space.tenant, space.name)
            heads = await self._heads.read([space.id])
        return space, head

    def _remembered(self, spaces: Sequence[Space], query: SearchQuery) -> Sequence[tuple[Space, Head]] | None:
        """Heads read before, if each is fresh enough for the query; None if one is not."""
        if query.max_staleness_s is None:
            return None
        oldest = time.monotonic() - query.max_staleness_s
        known = [self._read.get(space) for space in spaces]
        fresh = [entry[1] for entry in known if entry is not None and entry[0] >= oldest]
        return list(zip(spaces, fresh, strict=True)) if len(fresh) == len(spaces) else None


def mixed_models(space: Space, first: Space) -> FailedPrecondition:
    """The error for a search over spaces of several models."""
    message = (
        f"{space.resource_name} has vectors of {space.model}, {first.resource_name} of {first.model}: search apart"
    )
    metadata = {"expected": first.fingerprint, "actual": space.fingerprint}
    return FailedPrecondition(space.resource_name, message, reason="MODEL_MISMATCH", metadata=metadata)
