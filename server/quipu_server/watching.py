"""The use case of watching: the logs of spaces, followed as they grow."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from quipu_server.domain import Head, Space
from quipu_server.errors import LogReplaced, NotFound, Unavailable
from quipu_server.filters import Condition
from quipu_server.ports import LogSource, MemoryStore, Watched
from quipu_server.search.heads import Heads
from quipu_server.spaces import Spaces, check_kept, check_reached

MOST_REVISIONS = 200
"""Of the log, read at once: what a watcher who does not read keeps in memory."""

TICK_S = 0.1
"""How often the heads of watched spaces are read while nothing happens."""

MARK_EVERY_S = 10.0
"""How often a watcher is told how far its spaces have come while nothing happens that it watches for."""


@dataclass(frozen=True, slots=True)
class WatchQuery:
    """What to watch.

    after: by id of a space; a space that is not there is watched from now on.
    nonces: of the revisions in `after`, as far as they are known.
    """

    tenant: str
    spaces: Sequence[str]
    after: Mapping[str, int]
    nonces: Mapping[str, int] = field(default_factory=dict)
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of a space up to a revision, perhaps none."""

    space: Space
    changes: Sequence[Watched]
    revision: int
    nonce: int
    head_revision: int


@dataclass(slots=True)
class _Place:
    """Where a watcher stands in a space, and where it was told that it stands.

    nonce: 0 when it is not known.
    takes_what_is_kept: it began before everything, and does not mind what was trimmed before.
    """

    space: Space
    revision: int
    nonce: int
    told: int = -1
    told_at: float = field(default=-MARK_EVERY_S)
    takes_what_is_kept: bool = False

    def tell(self, changes: Sequence[Watched], head: Head) -> Changes:
        self.told, self.told_at = self.revision, time.monotonic()
        return Changes(self.space, changes, self.revision, self.nonce, head.revision)

    def check(self, head: Head) -> None:
        """Raise OutOfRange when a head is not that of the log in which the watcher stands, as far as it can tell."""
        if self.nonce and head.revision < self.revision:
            raise LogReplaced(self.space.resource_name, self.revision, head.revision)
        check_reached(self.space, head, self.revision)
        if head.revision == self.revision:
            self.compare(head.nonce, head)
            self.nonce = head.nonce or self.nonce

    def compare(self, nonce: int, head: Head) -> None:
        """Raise LogReplaced when the revision where the watcher stands has another nonce in the log, not 0."""
        if self.nonce and nonce and nonce != self.nonce:
            raise LogReplaced(self.space.resource_name, self.revision, head.revision)

    @property
    def is_mark_due(self) -> bool:
        return self.told != self.revision and time.monotonic() - self.told_at >= MARK_EVERY_S


class Watching:
    """Follows logs for those who watch."""

    def __init__(self, spaces: Spaces, store: MemoryStore, log: LogSource) -> None:
        self._spaces = spaces
        self._store = store
        self._heads = Heads(log)

    async def watch(self, query: WatchQuery, goes_on: Callable[[], bool]) -> AsyncIterator[Changes]:
        """Yield the changes of the spaces, at first where each begins; for ever.

        goes_on: asked again and again; once it says no, Unavailable is raised. Raises NotFound, also when a space is
        deleted, OutOfRange (LogReplaced when the database was restored meanwhile), StoreUnavailable.
        """
        places = await self._begin(query)
        while goes_on():
            behind = False
            heads = await self._heads.read([place.space.id for place in places])
            for place in places:
                if (head := heads.get(place.space.id)) is None:
                    raise NotFound("space", place.space.resource_name)
                changes = await self._advance(place, head, query.condition)
                behind = behind or place.revision < head.revision
                if changes or place.is_mark_due:
                    yield place.tell(changes, head)
            if not behind:
                await asyncio.sleep(TICK_S - time.monotonic() % TICK_S)  # all at once, so that one query serves all
        raise Unavailable("the server is stopping; watch on after the last revision")

    async def _begin(self, query: WatchQuery) -> Sequence[_Place]:
        spaces = [await self._spaces.find(query.tenant, name) for name in query.spaces]
        heads = await self._heads.read([space.id for space in spaces])
        return [_first(space, heads.get(space.id), query) for space in spaces]

    async def _advance(self, place: _Place, head: Head, condition: Condition | None) -> Sequence[Watched]:
        """Go on by some revisions; the changes among them. Raises OutOfRange."""
        place.check(head)
        place.takes_what_is_kept = place.takes_what_is_kept and place.revision < head.oldest
        if not place.takes_what_is_kept:
            check_kept(place.space, head, place.revision)
        upto = min(head.revision, place.revision + MOST_REVISIONS)
        if upto == place.revision:
            return []
        part = await self._store.changes(place.space, place.revision, upto, condition)
        place.compare(part.nonce_before, head)
        if not part.nonce and upto >= head.oldest:  # the log lost revisions between the two looks
            raise LogReplaced(place.space.resource_name, place.revision, head.revision)
        place.revision, place.nonce = upto, part.nonce
        return part.changes


def _first(space: Space, head: Head | None, query: WatchQuery) -> _Place:
    """Where to begin. Raises NotFound, OutOfRange."""
    if head is None:
        raise NotFound("space", space.resource_name)
    if (after := query.after.get(space.name)) is None:
        return _Place(space, head.revision, head.nonce)
    place = _Place(space, after, query.nonces.get(space.name, 0), takes_what_is_kept=after == 0)
    place.check(head)
    if after:
        check_kept(space, head, after)
    return place
