"""RetentionService."""

from quipu.v1 import retention_service_pb2 as messages
from quipu.v1.retention_service_pb2_grpc import RetentionServiceServicer
from quipu_server.erasing import Erasing
from quipu_server.inputs import Target
from quipu_server.memories import Memories
from quipu_server.rpc import names
from quipu_server.rpc.caller import Context, caller_tenant
from quipu_server.rpc.convert.erasures import read_erasure, write_receipt
from quipu_server.rpc.convert.memories import write_memory
from quipu_server.rpc.digest import request_key


class RetentionService(RetentionServiceServicer):
    """Takes memories out of use, and destroys them."""

    def __init__(self, memories: Memories, erasing: Erasing) -> None:
        self._memories = memories
        self._erasing = erasing

    async def ArchiveMemory(
        self, request: messages.ArchiveMemoryRequest, context: Context
    ) -> messages.ArchiveMemoryResponse:
        target = _target(request.name, context)
        key = request_key(request, request.request_id)
        memory = await self._memories.archive(target, etag=request.etag, request=key)
        return messages.ArchiveMemoryResponse(memory=write_memory(memory, target.space))

    async def UnarchiveMemory(
        self, request: messages.UnarchiveMemoryRequest, context: Context
    ) -> messages.UnarchiveMemoryResponse:
        target = _target(request.name, context)
        memory = await self._memories.unarchive(target, request=request_key(request, request.request_id))
        return messages.UnarchiveMemoryResponse(memory=write_memory(memory, target.space))

    async def EraseMemories(
        self, request: messages.EraseMemoriesRequest, context: Context
    ) -> messages.EraseMemoriesResponse:
        space = names.read_space(request.parent, "parent")
        erasure = read_erasure(request, space)
        act = self._erasing.count if request.dry_run else self._erasing.erase
        receipt = await act(caller_tenant(context), space, erasure)
        return messages.EraseMemoriesResponse(receipt=write_receipt(receipt))


def _target(name: str, context: Context) -> Target:
    return Target(caller_tenant(context), *names.read_memory(name, "name"))
