"""The use case of embedding what was stored without vectors."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from quipu_server.domain import EmbeddedText, Purpose, Space
from quipu_server.errors import Conflict, ModelChanged, Overloaded, StoreUnavailable
from quipu_server.ports import Embedder, Lane, SearchViews
from quipu_server.ports.embedding_later import Unembedded, UnembeddedStore
from quipu_server.ports.jobs import JobContext, JobKind, JobStore, Json, NewJob
from quipu_server.spaces import Spaces

KIND = "embed"
BATCH = 64
"""Texts embedded between two commits: about a quarter of a second of work."""
PAUSE_S = 0.05
"""Before texts are offered to an embedder again that had no room for them."""
SOON_S = 0.1
"""Writers to one space within this time share one request for its job."""
LOOK_EVERY_S = 300.0
MOST_SPACES = 1_000


@dataclass(frozen=True, slots=True)
class EmbedSpace:
    """The payload: id of the space."""

    space: str


@dataclass(frozen=True, slots=True)
class LookForUnembedded:
    """The payload of looking through all spaces."""


class EmbeddingJobs:
    """An `EmbedSoon`, by jobs."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs
        self._asked: dict[UUID, asyncio.Task[None]] = {}

    def ask(self, space: Space) -> None:
        if space.id not in self._asked:
            self._asked[space.id] = asyncio.create_task(self._ask(space))

    async def _ask(self, space: Space) -> None:
        await asyncio.sleep(SOON_S)
        del self._asked[space.id]
        with suppress(StoreUnavailable):  # the search through all spaces finds it
            await self.enqueue(space)

    async def enqueue(self, space: Space) -> None:
        """Let the space be embedded, by the job that waits to do so if there is one."""
        await self._jobs.enqueue(NewJob(space.tenant, KIND, space.name, {"space": space.name}, key=space.name))


class EmbeddingLater:
    """Embeds what was stored without vectors."""

    def __init__(
        self, store: UnembeddedStore, jobs: EmbeddingJobs, spaces: Spaces, embedder: Embedder, views: SearchViews
    ) -> None:
        self._store = store
        self._jobs = jobs
        self._spaces = spaces
        self._embedder = embedder
        self._views = views

    @property
    def kinds(self) -> Sequence[JobKind[EmbedSpace] | JobKind[LookForUnembedded]]:
        return [
            JobKind(KIND, EmbedSpace, self.embed, by_hand=True),
            JobKind("look-for-unembedded", LookForUnembedded, self.look, every_s=LOOK_EVERY_S),
        ]

    async def embed(self, context: JobContext, payload: EmbedSpace) -> Json:
        """Embed what a space has. Raises NotFound, FailedPrecondition when the server has not its model."""
        space = await self._spaces.find(context.job.tenant, payload.space)
        self._spaces.check_model(space)
        done = int((context.job.checkpoint or {}).get("embedded", 0))
        while found := await self._store.next_unembedded(space, BATCH):
            made = await self._embed(space, found)
            await context.check_cancelled()
            try:
                revision = await self._store.store_vectors(space, found, made)
            except (Conflict, ModelChanged):
                space = await self._spaces.find(space.tenant, space.name)
                self._spaces.check_model(space)
                continue
            self._views.written(space, revision)
            done += len(found)
            left = await self._store.count_unembedded(space)
            await context.checkpoint({"embedded": done}, done, done + left)
        return {"embedded": done}

    async def look(self, context: JobContext, payload: LookForUnembedded) -> Json:
        """Ask for the jobs that nobody asked for: whoever stored the texts died before."""
        spaces = await self._store.spaces_unembedded(MOST_SPACES)
        for space in spaces:
            await self._jobs.enqueue(space)
        return {"spaces": len(spaces)}

    async def _embed(self, space: Space, found: Sequence[Unembedded]) -> Sequence[EmbeddedText]:
        while True:
            try:
                return await self._embedder.embed(space.model, [u.text for u in found], Purpose.PASSAGE, Lane.INGEST)
            except Overloaded:
                await asyncio.sleep(PAUSE_S)
