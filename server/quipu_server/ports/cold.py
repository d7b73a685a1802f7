"""What large spaces need from outside to be searched without being hot."""

from collections.abc import Sequence
from typing import Protocol

from quipu_server.domain import Space


class ColdIndexes(Protocol):
    """Indexes of PostgreSQL, one for the vectors of a space. Every method may raise StoreUnavailable.

    None is needed for an answer: without one, or with one that is not whole, a space is searched exactly.
    """

    async def build(self, space: Space, dimension: int) -> None:
        """Build the index of a space beside those who read and write; build it anew if there is one.

        What an earlier build left behind that broke off is dropped first. It takes minutes; cancelled, it leaves
        something behind.
        """

    async def large_spaces(self, least: int) -> Sequence[Space]:
        """The spaces that have at least so many memories, and no whole index for their model."""

    async def drop_unneeded(self, least: int) -> int:
        """Drop indexes of spaces that are gone, have less memories, or another model now; how many."""
