"""Reads heads of spaces for many searches at once."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from quipu_server.domain import Head
from quipu_server.ports import LogSource
from quipu_server.search.batches import Batches


class Heads:
    """Joins reads that wait at the same time into one query; each is answered by a query begun after it was asked."""

    def __init__(self, log: LogSource) -> None:
        self._log = log
        self._batches = Batches(self._read)

    async def read(self, space_ids: Sequence[UUID]) -> Mapping[UUID, Head]:
        """The heads of those of the spaces that exist, and perhaps others'. Raises StoreUnavailable."""
        return await self._batches.ask(None, space_ids)

    async def _read(self, _: None, wanted: Sequence[Sequence[UUID]]) -> Mapping[UUID, Head]:
        return await self._log.heads(list({space_id for ids in wanted for space_id in ids}))
