"""The use case of indexes for large spaces that are not hot."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from quipu_server.ports import Embedder
from quipu_server.ports.cold import ColdIndexes
from quipu_server.ports.jobs import JobContext, JobKind, JobStore, Json, NewJob
from quipu_server.spaces import Spaces

KIND = "build-index"
LOOK_EVERY_S = 600.0
LEFT_SHARE = 0.5
"""An index stays until its space has less than this share of the memories that it was built for."""


@dataclass(frozen=True, slots=True)
class BuildIndex:
    """The payload: id of the space."""

    space: str


@dataclass(frozen=True, slots=True)
class LookForLargeSpaces:
    """The payload of looking through all spaces."""


class ColdIndexing:
    """Builds and drops the indexes of spaces that have at least `least` memories; 0 builds none by itself."""

    def __init__(self, indexes: ColdIndexes, jobs: JobStore, spaces: Spaces, embedder: Embedder, least: int) -> None:
        self._indexes = indexes
        self._jobs = jobs
        self._spaces = spaces
        self._embedder = embedder
        self._least = least

    @property
    def kinds(self) -> Sequence[JobKind[Any]]:
        look = JobKind("look-for-large-spaces", LookForLargeSpaces, self.look, every_s=LOOK_EVERY_S)
        return [JobKind(KIND, BuildIndex, self.build, by_hand=True), *([look] if self._least else [])]

    async def build(self, context: JobContext, payload: BuildIndex) -> Json:
        """Build the index of a space, or build it anew. Raises NotFound, FailedPrecondition."""
        space = await self._spaces.find(context.job.tenant, payload.space)
        self._spaces.check_model(space)
        await context.progress(0, 1)
        await self._indexes.build(space, self._embedder.model(space.model).dimension)
        await context.progress(1, 1)
        return {}

    async def look(self, context: JobContext, payload: LookForLargeSpaces) -> Json:
        """Ask for the indexes that are missing; drop those that nobody needs."""
        spaces = await self._indexes.large_spaces(self._least)
        for space in spaces:
            await self._jobs.enqueue(NewJob(space.tenant, KIND, space.name, {"space": space.name}, key=space.name))
        return {"asked_for": len(spaces), "dropped": await self._indexes.drop_unneeded(int(self._least * LEFT_SHARE))}
