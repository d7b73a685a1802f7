"""What counting the use of memories needs from outside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from quipu_server.domain import Space


@dataclass(frozen=True, slots=True)
class Use:
    """How often a memory was found, and when last by the time of the database."""

    count: int
    last_time: datetime


class UseStore(Protocol):
    """Keeps how often memories were found. Every method may raise StoreUnavailable."""

    async def add_uses(self, space: Space, counts: Mapping[str, int]) -> None:
        """Add to the counts of memories, by id; nothing when the space is gone."""

    async def uses(self, space: Space, memory_ids: Sequence[str]) -> Mapping[str, Use]:
        """Those of the memories that were ever found, by id."""
