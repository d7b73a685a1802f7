"""The use case of removing versions that ended long ago."""

from dataclasses import dataclass
from uuid import UUID

from quipu_server.ports.history import HistoryStore
from quipu_server.ports.jobs import JobContext, JobKind, Json

EVERY_S = 6 * 3_600.0
SPACES = 100
VERSIONS = 2_000
"""Removed in one transaction."""


@dataclass(frozen=True, slots=True)
class TrimHistory:
    """The payload of trimming all spaces."""


class Trimming:
    """Removes what ended more than so many days ago."""

    def __init__(self, store: HistoryStore, days: float) -> None:
        self._store = store
        self._days = days

    @property
    def kind(self) -> JobKind[TrimHistory]:
        return JobKind("trim-history", TrimHistory, self.run, every_s=EVERY_S)

    async def run(self, context: JobContext, payload: TrimHistory) -> Json:
        """Trim space after space; how many versions went."""
        noted = context.job.checkpoint or {}
        after, count = UUID(int=0) if not noted else UUID(noted["space"]), int(noted.get("versions", 0))
        while spaces := await self._store.spaces_with_history(after, SPACES):
            for space_id in spaces:
                count += await self._trim(context, space_id)
                after = space_id
            await context.checkpoint({"space": str(after), "versions": count})
        return {"versions": count}

    async def _trim(self, context: JobContext, space_id: UUID) -> int:
        horizon = await self._store.set_horizon(space_id, self._days)
        count, reached = 0, 0 if horizon else None
        while reached is not None:
            trimmed = await self._store.trim(space_id, horizon, reached, VERSIONS)
            count, reached = count + trimmed.versions, trimmed.reached
            await context.check_cancelled()
        return count
