"""What erasing memories needs from outside."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import NamedTuple, Protocol
from uuid import UUID

from quipu_server.domain import Space
from quipu_server.filters import Condition


@dataclass(frozen=True, slots=True)
class ErasureCounts:
    """Rows by layer; see `ErasureCounts` in the API."""

    memories: int = 0
    versions: int = 0
    texts: int = 0
    vectors: int = 0
    waiting: int = 0
    uses: int = 0
    sessions: int = 0

    def __add__(self, other: "ErasureCounts") -> "ErasureCounts":
        sums = {each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)}
        return ErasureCounts(**sums)


@dataclass(frozen=True, slots=True)
class Erasure:
    """What to erase: memories that meet the condition and are named, where either is given.

    memory_ids: None: whatever they are called. sessions: whether what sessions have beside their messages goes, too.
    """

    condition: Condition | None
    memory_ids: Sequence[str] | None
    sessions: bool = False


@dataclass(frozen=True, slots=True)
class Traces:
    """By what the rows of some memories are known, in all layers."""

    memory_ids: Sequence[str] = ()
    passage_ids: Sequence[UUID] = field(default_factory=tuple)
    sessions: Sequence[str] = ()

    def __add__(self, other: "Traces") -> "Traces":
        return Traces(
            [*self.memory_ids, *other.memory_ids],
            [*self.passage_ids, *other.passage_ids],
            list(dict.fromkeys([*self.sessions, *other.sessions])),
        )


class Erased(NamedTuple):
    """What one step destroyed, and the revision of the space after it."""

    traces: Traces
    counts: ErasureCounts
    revision: int


class ErasureStore(Protocol):
    """Destroys memories. Every method may raise StoreUnavailable, and NotFound when the space is gone."""

    async def erase_some(self, space: Space, erasure: Erasure, limit: int) -> Erased:
        """Destroy at most `limit` of the memories in one transaction; less than that many were left if it says so.

        Each gets one revision more, which says that it was erased; those before say so, too, and nothing else.
        """

    async def count(self, space: Space, erasure: Erasure) -> tuple[ErasureCounts, int]:
        """What there is to destroy, and the revision of the space."""

    async def count_left(self, space: Space, traces: Traces) -> ErasureCounts:
        """What is still there of memories."""
