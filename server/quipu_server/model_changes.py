"""The use case of changing the embedding model of a space, of going back, and of giving the way back up."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from quipu_server.domain import EmbeddedText, ModelInfo, Purpose, Space
from quipu_server.embedding_later import EmbeddingJobs
from quipu_server.errors import Conflict, FailedPrecondition, Overloaded
from quipu_server.ports import Embedder, Lane
from quipu_server.ports.jobs import JobContext, JobKind, Json
from quipu_server.ports.models import Missing, ModelStore
from quipu_server.spaces import Spaces

CHANGE, REVERT, DROP = "change-model", "revert-model", "drop-old-vectors"
GROUP = "model"
"""Of these kinds one job runs at a time for a space: what one fills, another must not drop."""

BATCH = 64
"""Texts embedded between two commits: about a quarter of a second of work."""
DROPPED = 5_000
"""Vectors removed in a transaction."""
QUIET_ATTEMPTS = 20
"""So often the cut-over waits for an instant in which no write lacks vectors; then at most BATCH are embedded after."""
PAUSE_S = 0.05
"""Before texts are offered to an embedder again that had no room for them."""


@dataclass(frozen=True, slots=True)
class ChangeModel:
    """The payload: id of the space, and the model, `models/{model}`; the default one of the server when empty."""

    space: str
    model: str = ""


@dataclass(frozen=True, slots=True)
class OfSpace:
    """The payload: id of the space."""

    space: str


class ModelChanges:
    """Changes models. Vectors of both lie side by side, and searches use those of the model that the space has."""

    def __init__(self, store: ModelStore, spaces: Spaces, embedder: Embedder, soon: EmbeddingJobs) -> None:
        self._store = store
        self._spaces = spaces
        self._embedder = embedder
        self._soon = soon

    @property
    def kinds(self) -> Sequence[JobKind[Any]]:
        return [
            JobKind(CHANGE, ChangeModel, self.change, by_hand=True, group=GROUP),
            JobKind(REVERT, OfSpace, self.revert, by_hand=True, group=GROUP),
            JobKind(DROP, OfSpace, self.drop, by_hand=True, group=GROUP),
        ]

    async def change(self, context: JobContext, payload: ChangeModel) -> Json:
        """Give a space another model. Raises NotFound."""
        return await self._change(context, payload.space, payload.model.removeprefix("models/"))

    async def revert(self, context: JobContext, payload: OfSpace) -> Json:
        """Give a space the model it had before. Raises NotFound, FailedPrecondition when there is no way back."""
        if (checkpoint := context.job.checkpoint) is not None:  # the cut-over may be done: the way back is another now
            return await self._change(context, payload.space, checkpoint["model"])
        space = await self._spaces.find(context.job.tenant, payload.space)
        if not space.previous_model:
            message = "the space has vectors of no other model that it had before: use change-model"
            raise FailedPrecondition(space.resource_name, message, reason="MODEL_MISMATCH")
        return await self._change(context, payload.space, space.previous_model)

    async def drop(self, context: JobContext, payload: OfSpace) -> Json:
        """Remove the vectors of all models that the space has not. Raises NotFound."""
        space = await self._spaces.find(context.job.tenant, payload.space)
        await self._store.forget_previous(space)
        dropped = int((context.job.checkpoint or {}).get("dropped", 0))
        while count := await self._store.drop_other_vectors(space, DROPPED):
            dropped += count
            await context.checkpoint({"dropped": dropped}, dropped)
        return {"dropped": dropped}

    async def _change(self, context: JobContext, name: str, model: str) -> Json:
        space = await self._spaces.find(context.job.tenant, name)
        info = self._embedder.model(model)
        target = replace(space, model=info.name, fingerprint=info.fingerprint)
        filling = Filling(self._store, self._embedder, context, target)
        await filling.begin()
        if space.fingerprint != info.fingerprint:
            space = await self._fill_and_cut_over(filling, info)
        # Texts of the past that were embedded between the last look and the cut-over.
        await filling.fill(0)
        await self._store.forget_token_counts(space)
        await self._soon.enqueue(space)
        return {"model": f"models/{info.name}", "embedded": filling.made}

    async def _fill_and_cut_over(self, filling: "Filling", info: ModelInfo) -> Space:
        """Embed what is missing until nothing is; the space with its new model."""
        target, attempt = filling.target, 0
        await filling.fill(filling.begun_at)
        seen = await self._store.head(target)
        await filling.fill(0)
        while True:
            space = await self._spaces.find(target.tenant, target.name)
            if space.id != target.id:
                raise FailedPrecondition(
                    space.resource_name, "the space was deleted and made anew", reason="MODEL_MISMATCH"
                )
            await filling.context.check_cancelled()
            may_wait = BATCH if attempt >= QUIET_ATTEMPTS else 0
            changed = await self._store.cut_over(space, target, info.dimension, seen, may_wait)
            if changed is not None:
                return changed
            after, seen = seen, await self._store.head(target)
            await filling.fill(after)
            attempt += 1


class Filling:
    """Gives the passages of a space vectors of the model of the target. made: how many it has, with earlier attempts.

    begun_at: everything up to this revision was done by an earlier attempt.
    """

    def __init__(self, store: ModelStore, embedder: Embedder, context: JobContext, target: Space) -> None:
        self._store = store
        self._embedder = embedder
        self.context = context
        self.target = target
        checkpoint = context.job.checkpoint or {}
        self.made, self.begun_at = int(checkpoint.get("embedded", 0)), int(checkpoint.get("after", 0))
        self._done = self._total = 0

    async def begin(self) -> None:
        """Leave a note of what was begun."""
        self._done, self._total = await self._store.count_vectors(self.target)
        await self._note(self.begun_at)

    async def fill(self, after: int) -> None:
        """Embed what revisions above `after` lack. Raises JobCancelled, LeaseLost."""
        while missing := await self._store.next_missing(self.target, after, BATCH):
            made = await self._embed(missing)
            await self.context.check_cancelled()
            try:
                await self._store.add_vectors(self.target, missing, made)
            except Conflict:
                continue
            after = missing[-1].revision
            self.made += len(missing)
            self._done += len(missing)
            await self._note(after)

    async def _note(self, after: int) -> None:
        note = {"model": self.target.model, "embedded": self.made, "after": after}
        await self.context.checkpoint(note, self._done, max(self._total, self._done))

    async def _embed(self, missing: Sequence[Missing]) -> Sequence[EmbeddedText]:
        texts = [one.text for one in missing]
        while True:
            try:
                return await self._embedder.embed(self.target.model, texts, Purpose.PASSAGE, Lane.INGEST)
            except Overloaded:
                await asyncio.sleep(PAUSE_S)
