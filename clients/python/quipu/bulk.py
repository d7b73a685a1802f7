"""Calls that store many memories."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from uuid import UUID, uuid5

from quipu.batches import batches
from quipu.dual import call
from quipu.errors import QuipuError
from quipu.fields import DraftLike, id_and_memory
from quipu.operations import Operations, request_id_or_new
from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import BatchCreateMemoriesRequest, CreateMemoryRequest


class BulkOperations(Operations):
    """Everything about many memories at once: batches, each all or none, one after the other.

    An error carries a note that says how many memories were stored before it. With the same request id and the same
    memories in the same order, what was stored before is not stored again.
    """

    @call
    async def add_many(
        self,
        memories: Iterable[DraftLike],
        *,
        space: str | None = None,
        defer_embedding: bool = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Sequence[Memory]:
        """Store memories in batches and return them as stored. `timeout` counts for each batch.

        defer_embedding: as in `add`.
        """
        stored: list[Memory] = []
        async for batch in self._store(memories, space, request_id, timeout, defer_embedding):
            stored.extend(batch)
        return stored

    async def _store(
        self,
        memories: Iterable[DraftLike],
        space: str | None,
        request_id: str | None,
        timeout: float | None,
        defer_embedding: bool = False,
    ) -> AsyncGenerator[Sequence[Memory], None]:
        """Store batch by batch; yield each as stored."""
        parent, whole = self._parent(space), UUID(request_id_or_new(request_id))
        number = count = 0
        for batch in batches(map(creation, memories)):
            part = str(uuid5(whole, str(number)) if number else whole)
            request = BatchCreateMemoriesRequest(
                parent=parent, requests=batch, request_id=part, defer_embedding=defer_embedding
            )
            try:
                response = await self._wire.unary(self._wire.memories.BatchCreateMemories, request, timeout)
            except QuipuError as error:
                error.add_note(f"the first {count} memories were stored, those from there on were not")
                raise
            self._saw(parent, response.revision)
            number, count = number + 1, count + len(batch)
            yield response.memories


def creation(draft: DraftLike) -> CreateMemoryRequest:
    """The request that creates a memory, but for its space."""
    memory_id, memory = id_and_memory(draft)
    return CreateMemoryRequest(memory_id=memory_id, memory=memory)
