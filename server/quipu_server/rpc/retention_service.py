"""RetentionService."""

from collections.abc import AsyncIterator, Callable

from quipu.v1 import retention_service_pb2 as messages
from quipu.v1.retention_service_pb2_grpc import RetentionServiceServicer
from quipu_server.erasing import Erasing
from quipu_server.inputs import Target
from quipu_server.memories import Memories
from quipu_server.ports.retention import Policy
from quipu_server.retention.asking import Asking
from quipu_server.retention.policies import Policies
from quipu_server.rpc import names
from quipu_server.rpc.caller import Context, caller_tenant
from quipu_server.rpc.convert.erasures import read_erasure, write_receipt
from quipu_server.rpc.convert.memories import write_memory
from quipu_server.rpc.convert.retention import read_policy, read_policy_update, write_policy, write_run
from quipu_server.rpc.digest import request_key
from quipu_server.rpc.pages import invalid_token, read_token, write_token
from quipu_server.rpc.validate import check_page_size


class RetentionService(RetentionServiceServicer):
    """Takes memories out of use, and destroys them. goes_on: whether streams may go on."""

    def __init__(
        self, memories: Memories, erasing: Erasing, policies: Policies, runs: Asking, goes_on: Callable[[], bool]
    ) -> None:
        self._memories = memories
        self._erasing = erasing
        self._policies = policies
        self._runs = runs
        self._goes_on = goes_on

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

    async def CreateRetentionPolicy(
        self, request: messages.CreateRetentionPolicyRequest, context: Context
    ) -> messages.CreateRetentionPolicyResponse:
        policy = await self._policies.create(
            caller_tenant(context),
            names.read_space_or_all(request.parent, "parent"),
            names.check_id(request.retention_policy_id, "retention_policy_id"),
            read_policy(request.retention_policy, "retention_policy"),
            request_key(request, request.request_id),
        )
        return messages.CreateRetentionPolicyResponse(retention_policy=write_policy(policy))

    async def GetRetentionPolicy(
        self, request: messages.GetRetentionPolicyRequest, context: Context
    ) -> messages.GetRetentionPolicyResponse:
        policy = await self._policies.get(caller_tenant(context), *names.read_policy(request.name, "name"))
        return messages.GetRetentionPolicyResponse(retention_policy=write_policy(policy))

    async def ListRetentionPolicies(
        self, request: messages.ListRetentionPoliciesRequest, context: Context
    ) -> messages.ListRetentionPoliciesResponse:
        size, place = check_page_size(request.page_size), _read_place(request)
        found = await self._policies.list(caller_tenant(context), names.read_space_or_all(request.parent, "parent"))
        left = [policy for policy in found if place is None or policy.place > place]
        page: list[Policy] = left[:size]
        token = write_token(request, page[-1].place) if len(left) > size else ""
        return messages.ListRetentionPoliciesResponse(
            retention_policies=[write_policy(policy) for policy in page], next_page_token=token
        )

    async def UpdateRetentionPolicy(
        self, request: messages.UpdateRetentionPolicyRequest, context: Context
    ) -> messages.UpdateRetentionPolicyResponse:
        space, policy_id = names.read_policy(request.retention_policy.name, "retention_policy.name")
        settings, fields = read_policy_update(request)
        policy = await self._policies.update(
            caller_tenant(context),
            space,
            policy_id,
            settings,
            fields,
            etag=request.retention_policy.etag,
            request=request_key(request, request.request_id),
        )
        return messages.UpdateRetentionPolicyResponse(retention_policy=write_policy(policy))

    async def DeleteRetentionPolicy(
        self, request: messages.DeleteRetentionPolicyRequest, context: Context
    ) -> messages.DeleteRetentionPolicyResponse:
        space, policy_id = names.read_policy(request.name, "name")
        key = request_key(request, request.request_id)
        await self._policies.delete(caller_tenant(context), space, policy_id, etag=request.etag, request=key)
        return messages.DeleteRetentionPolicyResponse()

    async def RunRetention(
        self, request: messages.RunRetentionRequest, context: Context
    ) -> AsyncIterator[messages.RunRetentionResponse]:
        space = names.read_space_or_all(request.parent, "parent")
        run = self._runs.run(caller_tenant(context), space, self._goes_on, dry_run=request.dry_run)
        async for job in run:
            yield write_run(job)


def _read_place(request: messages.ListRetentionPoliciesRequest) -> tuple[int, bool, str] | None:
    """Of the last policy of the page before."""
    match read_token(request, request.page_token):
        case ():
            return None
        case (int(priority), bool(is_for_all), str(policy_id)):
            return priority, is_for_all, policy_id
    raise invalid_token()


def _target(name: str, context: Context) -> Target:
    return Target(caller_tenant(context), *names.read_memory(name, "name"))
