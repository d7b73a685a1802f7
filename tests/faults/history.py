"""What happened to some memories, and whether every search saw what it had to see.

Each memory has one writer, which makes one change after the other; searches run whenever they like, on any server. A
search sees right when there is an order of all of them in which each takes effect between its beginning and its end
(Herlihy and Wing, "Linearizability", 1990). For one writer that means: it sees the last change that was acknowledged
before it began, or one that ran beside it, and nothing older than what a search saw that ended before it began.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

NOTHING = -1
"""Place of the state before the first change."""


@dataclass(slots=True)
class Change:
    """What a writer asked for: a content, or none for a deletion. Times in seconds on one clock.

    ended: when it was acknowledged; never, as far as anybody knows, when its call broke off.
    """

    content: str | None
    began: float
    ended: float = math.inf
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Sight:
    """What a search saw of a memory: its content, or that there is none."""

    content: str | None
    began: float
    ended: float
    where: str


@dataclass(slots=True)
class History:
    """Changes and sights of each memory; the changes in their order."""

    changes: dict[str, list[Change]] = field(default_factory=lambda: defaultdict(list))
    sights: dict[str, list[Sight]] = field(default_factory=lambda: defaultdict(list))

    def violations(self) -> Sequence[str]:
        """What no order explains."""
        return [text for memory_id in self.sights for text in self._violations(memory_id)]

    def _violations(self, memory_id: str) -> Iterator[str]:
        changes = self.changes[memory_id]
        seen: list[tuple[float, int]] = []
        for sight in sorted(self.sights[memory_id], key=lambda s: s.began):
            least = max((place for ended, place in seen if ended <= sight.began), default=NOTHING)
            possible = [place for place in candidates(changes, sight) if place >= least]
            matching = [place for place in possible if content_at(changes, place) == sight.content]
            if matching:
                seen.append((sight.ended, matching[0]))
            else:
                allowed = sorted({repr(content_at(changes, place)) for place in possible})
                yield f"{memory_id} on {sight.where}: saw {sight.content!r}, possible: {', '.join(allowed)}"


def candidates(changes: Sequence[Change], sight: Sight) -> Sequence[int]:
    """The changes whose outcome a search may see: the last one acknowledged before it, and those beside it."""
    acknowledged = (place for place, change in enumerate(changes) if change.ended <= sight.began and not change.refused)
    base = max(acknowledged, default=NOTHING)
    beside = (place for place in range(base + 1, len(changes)) if changes[place].began <= sight.ended)
    return [base, *(place for place in beside if not changes[place].refused)]


def content_at(changes: Sequence[Change], place: int) -> str | None:
    return None if place == NOTHING else changes[place].content
