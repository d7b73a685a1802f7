"""What embedding needs from outside that is done after storing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from quipu_server.domain import EmbeddedText, Space, TextToEmbed


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A passage without vectors, and the memory that it was made for."""

    passage_id: UUID
    memory_id: str
    text: TextToEmbed


class UnembeddedStore(Protocol):
    """Knows the passages that were stored without vectors. Every method may raise StoreUnavailable."""

    async def spaces_unembedded(self, limit: int) -> Sequence[Space]:
        """At most `limit` spaces that have such passages."""

    async def count_unembedded(self, space: Space) -> int:
        """How many there are."""

    async def next_unembedded(self, space: Space, limit: int) -> Sequence[Unembedded]:
        """At most `limit` of them, always in the same order."""

    async def store_vectors(self, space: Space, found: Sequence[Unembedded], made: Sequence[EmbeddedText]) -> int:
        """Store the vectors of each in one transaction, and take them off; the revision of the space then.

        Memories whose current version has the passage get a new version with change EMBEDDED and all else as it was.
        Raises Conflict, and stores nothing, when one of them was changed or embedded by somebody else meanwhile;
        ModelChanged when the space has another model now.
        """


class EmbedSoon(Protocol):
    """Sees to it that what was stored without vectors is embedded."""

    def ask(self, space: Space) -> None:
        """Tell that a space has such passages. It does not wait, and must not be needed: they are found anyhow."""
