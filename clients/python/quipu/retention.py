"""Calls that take memories out of use, and destroy them."""

from collections.abc import Sequence

from quipu.dual import call
from quipu.filters import FilterLike, filtering
from quipu.names import MemoryLike
from quipu.operations import Operations, request_id_or_new
from quipu.v1.memory_pb2 import Memory
from quipu.v1.retention_service_pb2 import (
    ArchiveMemoryRequest,
    EraseMemoriesRequest,
    ErasureReceipt,
    UnarchiveMemoryRequest,
)


class RetentionOperations(Operations):
    """Archiving and erasing."""

    @call
    async def archive(
        self,
        memory: MemoryLike,
        *,
        etag: str = "",
        space: str | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Memory:
        """Take a memory out of use: no search finds it, and nothing changes it, but it can be read and brought back.

        Raises NotFound, Aborted when `etag` is old, FailedPrecondition when it is archived.
        """
        request = ArchiveMemoryRequest(
            name=self._name(memory, space), etag=etag, request_id=request_id_or_new(request_id)
        )
        return self._saw_memory((await self._wire.unary(self._wire.retention.ArchiveMemory, request, timeout)).memory)

    @call
    async def unarchive(
        self,
        memory: MemoryLike,
        *,
        space: str | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Memory:
        """Bring an archived memory back. Raises NotFound, FailedPrecondition when it is not archived."""
        request = UnarchiveMemoryRequest(name=self._name(memory, space), request_id=request_id_or_new(request_id))
        return self._saw_memory((await self._wire.unary(self._wire.retention.UnarchiveMemory, request, timeout)).memory)

    @call
    async def erase(
        self,
        memories: Sequence[MemoryLike] = (),
        *,
        filter: FilterLike | None = None,
        sessions: bool = False,
        dry_run: bool = False,
        space: str | None = None,
        timeout: float | None = None,
    ) -> ErasureReceipt:
        """Destroy memories for good, with their history, vectors and copies: those that are named and meet the filter.

        One of the two must be given. The receipt counts what went, and what was found of it afterwards.
        sessions: empties title, summary and metadata of the sessions that the memories were messages of.
        dry_run: erases nothing, and counts what would be erased.
        """
        parent = self._parent(space)
        request = EraseMemoriesRequest(
            parent=parent,
            names=[self._name(memory, space) for memory in memories],
            erase_sessions=sessions,
            dry_run=dry_run,
            **filtering(filter),
        )
        receipt = (await self._wire.unary(self._wire.retention.EraseMemories, request, timeout)).receipt
        self._saw(parent, receipt.revision)
        return receipt
