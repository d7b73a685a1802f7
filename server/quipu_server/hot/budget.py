"""Which spaces are worth their place in memory."""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from itertools import islice
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)

REMEMBERED_VISITS = 10_000
"""After so many all counts are halved, so that what was visited often long ago gives way."""

EXAMINED = 200
"""Of the least recently visited, so many are looked at for one that is visited less than a space that wants in."""


class Visits(Generic[KeyT]):
    """How often each key was visited lately. Keys that are hardly visited are forgotten."""

    def __init__(self, remembered: int = REMEMBERED_VISITS) -> None:
        self._remembered = remembered
        self._noted = 0
        self._counts: dict[KeyT, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def note(self, key: KeyT) -> None:
        """Count a visit."""
        self._counts[key] = self._counts.get(key, 0) + 1
        self._noted += 1
        if self._noted >= self._remembered:
            self._noted //= 2
            self._counts = {key: count // 2 for key, count in self._counts.items() if count > 1}

    def count(self, key: KeyT) -> int:
        """Visits of a key."""
        return self._counts.get(key, 0)


class Budget(Generic[KeyT]):
    """Bytes for spaces. The least recently visited leaves first.

    When there is no room left, a space is let in only if it was visited more often lately than those that have to
    leave (the rule of TinyLFU, with exact counts): spaces that are visited once, however many, push nobody out.
    Counts are compared whatever the sizes: a large space takes the place of many, and costs as much as many while cold.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._visits: Visits[KeyT] = Visits()
        self._sizes: OrderedDict[KeyT, int] = OrderedDict()
        self._used_bytes = 0
        self._visit_number = 0
        self._too_large: dict[KeyT, int] = {}

    @property
    def used_bytes(self) -> int:
        """Sum of all sizes."""
        return self._used_bytes

    def visit(self, key: KeyT) -> None:
        """Count a visit."""
        self._visits.note(key)
        self._visit_number += 1
        if key in self._sizes:
            self._sizes.move_to_end(key)

    def admits(self, key: KeyT, size: int) -> bool:
        """Whether a space that needs about so many bytes, and has none yet, is to be let in."""
        if size > self.limit_bytes or self._too_large.get(key, 0) > self._visit_number:
            return False
        return self._leaving(size, self._visits.count(key) - 1) is not None

    def resize(self, key: KeyT, size: int) -> Sequence[KeyT]:
        """Note what a space takes now; return those that left for it, or itself if it is not worth it."""
        self._used_bytes += size - self._sizes.get(key, 0)
        self._sizes[key] = size
        if size > self.limit_bytes:
            self._too_large[key] = self._visit_number + REMEMBERED_VISITS
            leaving = None
        else:
            # It may have taken more than was expected when it was let in, or it has grown since.
            leaving = self._leaving(0, self._visits.count(key))
        if leaving is None:
            leaving = [key]
        for other in leaving:
            self.remove(other)
        return leaving

    def remove(self, key: KeyT) -> None:
        """Note that a space is gone."""
        self._used_bytes -= self._sizes.pop(key, 0)

    def forget(self, key: KeyT) -> None:
        """Note that a space will not come back."""
        self.remove(key)
        self._too_large.pop(key, None)

    def _leaving(self, size: int, most_visits: int) -> Sequence[KeyT] | None:
        """Those that have to leave for so many bytes more, of no more visits; None if that is not enough."""
        excess, leaving = self._used_bytes + size - self.limit_bytes, []
        for key, freed in islice(self._sizes.items(), EXAMINED):
            if excess <= 0:
                break
            if self._visits.count(key) <= most_visits:
                leaving.append(key)
                excess -= freed
        return leaving if excess <= 0 else None
