"""Calls that keep memories."""

from collections.abc import Mapping, Sequence
from typing import Literal, Unpack

from google.protobuf.field_mask_pb2 import FieldMask

from quipu.bulk import creation
from quipu.dual import call, results
from quipu.fields import Changes, Fields, VerdictName, to_memory, to_verdict
from quipu.filters import FilterLike, filtering
from quipu.names import MemoryLike, space_of
from quipu.operations import Operations, request_id_or_new
from quipu.results import Results
from quipu.v1.memory_pb2 import Memory, MemoryRevision
from quipu.v1.memory_service_pb2 import (
    BatchGetMemoriesRequest,
    DeleteMemoryRequest,
    GetMemoryRequest,
    GetMemoryUsesRequest,
    ListMemoriesRequest,
    ListMemoryRevisionsRequest,
    MemoryUse,
    RecordFeedbackRequest,
    UndeleteMemoryRequest,
    UpdateMemoryRequest,
)

MOST_NAMES = 1_000
"""In one BatchGetMemories."""


class MemoryOperations(Operations):
    """Everything about memories. A memory is given as its id, its full name, or itself."""

    @call
    async def add(
        self,
        content: str,
        *,
        id: str | None = None,
        space: str | None = None,
        defer_embedding: bool = False,
        request_id: str | None = None,
        timeout: float | None = None,
        **fields: Unpack[Fields],
    ) -> Memory:
        """Store a memory and return it as stored. The space is made if there is none. Raises AlreadyExists.

        defer_embedding: do not wait for the model; the memory is found by words only until a job has embedded it.
        """
        request = creation({"content": content, "id": id, **fields})
        request.parent = self._parent(space)
        request.request_id = request_id_or_new(request_id)
        request.defer_embedding = defer_embedding
        response = await self._wire.unary(self._wire.memories.CreateMemory, request, timeout)
        return self._saw_memory(response.memory)

    @call
    async def get(
        self,
        memory: MemoryLike,
        *,
        revision: int | None = None,
        space: str | None = None,
        timeout: float | None = None,
    ) -> Memory:
        """Return a memory as it is now, or as it was at a revision of its space. Raises NotFound, OutOfRange."""
        request = GetMemoryRequest(name=self._name(memory, space), revision=revision or 0)
        return (await self._wire.unary(self._wire.memories.GetMemory, request, timeout)).memory

    @call
    async def get_many(
        self, memories: Sequence[str], *, space: str | None = None, timeout: float | None = None
    ) -> Mapping[str, Memory]:
        """Return those memories that exist, by the ids or names that were given."""
        names = {key: self._name(key, space) for key in memories}
        found: dict[str, Memory] = {}
        for start in range(0, len(memories), MOST_NAMES):
            asked = [names[key] for key in memories[start : start + MOST_NAMES]]
            request = BatchGetMemoriesRequest(parent=self._parent(space), names=asked)
            response = await self._wire.unary(self._wire.memories.BatchGetMemories, request, timeout)
            found |= {memory.name: memory for memory in response.memories}
        return {key: found[name] for key, name in names.items() if name in found}

    @results
    def list(
        self,
        *,
        space: str | None = None,
        filter: FilterLike | None = None,
        order_by: Literal["create_time", "update_time", "event_time"] = "create_time",
        descending: bool = False,
        show_deleted: bool = False,
        show_archived: bool = False,
        revision: int | None = None,
        page_size: int = 100,
        timeout: float | None = None,
    ) -> Results[Memory]:
        """List the memories of a space as it is when the first page is fetched. `timeout` counts for each page.

        revision: lists the space as it was then, less the memories that have expired since.
        """
        request = ListMemoriesRequest(
            parent=self._parent(space),
            order_by=f"{order_by} desc" if descending else order_by,
            show_deleted=show_deleted,
            show_archived=show_archived,
            revision=revision or 0,
            page_size=page_size,
            **filtering(filter),
        )
        pages = self._pages(self._wire.memories.ListMemories, request, timeout)
        return Results(pages, lambda page: page.memories)

    @call
    async def update(
        self,
        memory: MemoryLike,
        *,
        etag: str = "",
        merge_metadata: bool = False,
        allow_missing: bool = False,
        space: str | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
        **changes: Unpack[Changes],
    ) -> Memory:
        """Change the fields that are given; None clears one. Raises NotFound, Aborted when `etag` is old.

        merge_metadata: changes only the given keys of the metadata; None removes a key.
        allow_missing: creates the memory when there is none.
        """
        target = to_memory(changes)
        target.name, target.etag = self._name(memory, space), etag
        request = UpdateMemoryRequest(
            memory=target,
            update_mask=FieldMask(paths=_paths(changes, merge_metadata)),
            allow_missing=allow_missing,
            request_id=request_id_or_new(request_id),
        )
        return self._saw_memory((await self._wire.unary(self._wire.memories.UpdateMemory, request, timeout)).memory)

    @call
    async def delete(
        self,
        memory: MemoryLike,
        *,
        etag: str = "",
        allow_missing: bool = False,
        space: str | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> int:
        """Delete a memory and return the revision. Its history stays. Raises NotFound, Aborted when `etag` is old."""
        name = self._name(memory, space)
        request = DeleteMemoryRequest(
            name=name, etag=etag, allow_missing=allow_missing, request_id=request_id_or_new(request_id)
        )
        response = await self._wire.unary(self._wire.memories.DeleteMemory, request, timeout)
        self._saw(space_of(name), response.revision)
        return response.revision

    @call
    async def undelete(
        self,
        memory: MemoryLike,
        *,
        space: str | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Memory:
        """Bring a deleted memory back. Raises NotFound, FailedPrecondition when it is not deleted."""
        request = UndeleteMemoryRequest(name=self._name(memory, space), request_id=request_id_or_new(request_id))
        return self._saw_memory((await self._wire.unary(self._wire.memories.UndeleteMemory, request, timeout)).memory)

    @call
    async def feedback(
        self,
        memory: MemoryLike,
        verdict: VerdictName,
        *,
        space: str | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Memory:
        """Say that a memory was `useful`, `irrelevant`, `outdated` or `wrong`: it moves in later searches.

        Returns it with the new counts. Raises NotFound.
        """
        request = RecordFeedbackRequest(
            name=self._name(memory, space), verdict=to_verdict(verdict), request_id=request_id_or_new(request_id)
        )
        return self._saw_memory((await self._wire.unary(self._wire.memories.RecordFeedback, request, timeout)).memory)

    @call
    async def uses(
        self, memories: Sequence[MemoryLike], *, space: str | None = None, timeout: float | None = None
    ) -> Sequence[MemoryUse]:
        """How often memories of one space, 1 to 1,000, were found by searches, in their order; a minute old at most."""
        names = [self._name(memory, space) for memory in memories]
        request = GetMemoryUsesRequest(parent=space_of(names[0]) if names else self._parent(space), names=names)
        return (await self._wire.unary(self._wire.memories.GetMemoryUses, request, timeout)).uses

    @results
    def history(
        self, memory: MemoryLike, *, space: str | None = None, timeout: float | None = None
    ) -> Results[MemoryRevision]:
        """List what was done to a memory, newest first; it may be deleted. `timeout` counts for each page."""
        request = ListMemoryRevisionsRequest(name=self._name(memory, space))
        pages = self._pages(self._wire.memories.ListMemoryRevisions, request, timeout)
        return Results(pages, lambda page: page.revisions)


def _paths(changes: Changes, merge_metadata: bool) -> list[str]:
    if not merge_metadata:
        return [*changes]
    keys = [f"metadata.{key}" for key in changes.get("metadata") or ()]
    return [path for path in changes if path != "metadata"] + keys
