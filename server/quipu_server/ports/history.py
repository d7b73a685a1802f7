"""What trimming needs from outside."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol
from uuid import UUID


class Trimmed(NamedTuple):
    """Versions that were removed, and the revision up to which the space was looked through; None at its end."""

    versions: int
    reached: int | None


class HistoryStore(Protocol):
    """Removes versions that ended long ago. Every method may raise StoreUnavailable."""

    async def spaces_with_history(self, after: UUID, limit: int) -> Sequence[UUID]:
        """At most `limit` ids of spaces greater than `after`, ascending."""

    async def set_horizon(self, space_id: UUID, days: float) -> int:
        """Make the newest revision that is so many days old the oldest that the space can be read as of; return it.

        It never goes back. 0 when everything is kept.
        """

    async def trim(self, space_id: UUID, horizon: int, after: int, limit: int) -> Trimmed:
        """Remove at most `limit` versions above the revision `after` that had ended at the horizon.

        With them go the texts and vectors that no other version has.
        """
