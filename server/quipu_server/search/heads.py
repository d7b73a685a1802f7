"""Reads heads of spaces for many searches at once."""

import asyncio
from collections.abc import Mapping, Sequence
from uuid import UUID

from quipu_server.domain import Head
from quipu_server.ports import LogSource


class Heads:
    """Joins reads that wait at the same time into one query; each is answered by a query begun after it was asked."""

    def __init__(self, log: LogSource) -> None:
        self._log = log
        self._waiting: list[tuple[Sequence[UUID], asyncio.Future[Mapping[UUID, Head]]]] = []
        self._reader: asyncio.Task[None] | None = None

    async def read(self, space_ids: Sequence[UUID]) -> Mapping[UUID, Head]:
        """The heads of those of the spaces that exist, and perhaps others'. Raises StoreUnavailable."""
        answer: asyncio.Future[Mapping[UUID, Head]] = asyncio.get_running_loop().create_future()
        self._waiting.append((space_ids, answer))
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_all())
        return await answer

    async def _read_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await self._answer(batch)
        self._reader = None

    async def _answer(self, batch: list[tuple[Sequence[UUID], asyncio.Future[Mapping[UUID, Head]]]]) -> None:
        wanted = {space_id for ids, _ in batch for space_id in ids}
        try:
            heads = await self._log.heads(list(wanted))
        except Exception as error:
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
        else:
            for _, answer in batch:
                if not answer.done():
                    answer.set_result(heads)
