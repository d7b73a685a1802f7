"""Calls that store many memories."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from typing import TypeAlias, TypeVar
from uuid import UUID, uuid5

from quipu.batches import batches
from quipu.dual import call
from quipu.errors import QuipuError
from quipu.fields import Draft, to_memory
from quipu.operations import Operations, request_id_or_new
from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import BatchCreateMemoriesRequest, CreateMemoryRequest

T = TypeVar("T")

DraftLike: TypeAlias = str | Draft
"""A memory to add, or its content."""


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
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Sequence[Memory]:
        """Store memories in batches and return them as stored. `timeout` counts for each batch."""
        stored: list[Memory] = []
        async for batch in self._store(memories, space, request_id, timeout):
            stored.extend(batch)
        return stored

    @call
    async def ingest(
        self,
        memories: Iterable[DraftLike] | AsyncIterable[DraftLike],
        *,
        on_progress: Callable[[int], None] | None = None,
        space: str | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> int:
        """Store memories as they come, however many, and return their number. `timeout` counts for each batch.

        memories: read no further than the batch under way; a blocking client needs a plain iterable.
        on_progress: called after each batch with the number of memories stored so far.
        request_id: a UUID of the whole; give it to go on after an error, within 7 days, from the first memory again.
        """
        count = 0
        async for batch in self._store(memories, space, request_id, timeout):
            count += len(batch)
            if on_progress:
                on_progress(count)
        return count

    async def _store(
        self,
        memories: Iterable[DraftLike] | AsyncIterable[DraftLike],
        space: str | None,
        request_id: str | None,
        timeout: float | None,
    ) -> AsyncGenerator[Sequence[Memory], None]:
        """Store batch by batch; yield each as stored."""
        parent, whole = self._parent(space), UUID(request_id_or_new(request_id))
        number = count = 0
        async for batch in batches(_creations(memories)):
            part = str(uuid5(whole, str(number)) if number else whole)
            request = BatchCreateMemoriesRequest(parent=parent, requests=batch, request_id=part)
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
    if isinstance(draft, str):
        draft = {"content": draft}
    fields = {key: value for key, value in draft.items() if key != "id"}
    return CreateMemoryRequest(memory_id=draft.get("id") or "", memory=to_memory(fields))


async def _creations(memories: Iterable[DraftLike] | AsyncIterable[DraftLike]) -> AsyncIterator[CreateMemoryRequest]:
    async for draft in _each(memories):
        yield creation(draft)


async def _each(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    """The items of any iterable. Those of a plain one come without waiting in an event loop."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item
