"""Calls that keep policies of retention, and apply them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal, TypeAlias, TypedDict, Unpack

from google.protobuf.field_mask_pb2 import FieldMask

from quipu.dual import call, results
from quipu.fields import KindName
from quipu.operations import Operations, request_id_or_new
from quipu.results import Results
from quipu.v1.retention_policy_pb2 import RetentionPolicy
from quipu.v1.retention_service_pb2 import (
    CreateRetentionPolicyRequest,
    DeleteRetentionPolicyRequest,
    GetRetentionPolicyRequest,
    ListRetentionPoliciesRequest,
    RunRetentionRequest,
    RunRetentionResponse,
    UpdateRetentionPolicyRequest,
)
from quipu.wire import FOREVER

PolicyLike: TypeAlias = str | RetentionPolicy
RetentionActionName: TypeAlias = Literal["archive", "delete"]


class PolicySettings(TypedDict, total=False):
    """What a policy says, as described at `RetentionPolicy`. None stands for: not set."""

    action: RetentionActionName
    priority: int | None
    disabled: bool | None
    older_than: timedelta | None
    by_event_time: bool | None
    importance_at_most: float | None
    session_idle_for: timedelta | None
    kinds: Sequence[KindName] | None
    tags: Sequence[str] | None
    filter: str | None
    archived_for: timedelta | None
    keep_at_most: int | None


class PolicyOperations(Operations):
    """Everything about policies. The space `-` stands for all spaces; a policy is given as id, name, or itself."""

    @call
    async def create_retention_policy(
        self,
        policy: str,
        *,
        space: str | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
        **settings: Unpack[PolicySettings],
    ) -> RetentionPolicy:
        """Create a policy with this id. Raises AlreadyExists, InvalidArgument, NotFound for the space."""
        request = CreateRetentionPolicyRequest(
            parent=self._parent(space),
            retention_policy_id=policy,
            retention_policy=_to_policy(settings),
            request_id=request_id_or_new(request_id),
        )
        made = await self._wire.unary(self._wire.retention.CreateRetentionPolicy, request, timeout)
        return made.retention_policy

    @call
    async def get_retention_policy(
        self, policy: PolicyLike, *, space: str | None = None, timeout: float | None = None
    ) -> RetentionPolicy:
        """Return a policy. Raises NotFound."""
        request = GetRetentionPolicyRequest(name=self._policy(policy, space))
        return (await self._wire.unary(self._wire.retention.GetRetentionPolicy, request, timeout)).retention_policy

    @results
    def retention_policies(
        self, *, space: str | None = None, page_size: int = 100, timeout: float | None = None
    ) -> Results[RetentionPolicy]:
        """List the policies that apply to a space, in the order in which they are tried. `timeout` is for each page."""
        request = ListRetentionPoliciesRequest(parent=self._parent(space), page_size=page_size)
        pages = self._pages(self._wire.retention.ListRetentionPolicies, request, timeout)
        return Results(pages, lambda page: page.retention_policies)

    @call
    async def update_retention_policy(
        self,
        policy: PolicyLike,
        *,
        etag: str = "",
        space: str | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
        **settings: Unpack[PolicySettings],
    ) -> RetentionPolicy:
        """Change the settings that are given. Raises NotFound, InvalidArgument, Aborted when `etag` is old."""
        changed = _to_policy(settings)
        changed.name, changed.etag = self._policy(policy, space), etag
        request = UpdateRetentionPolicyRequest(
            retention_policy=changed,
            update_mask=FieldMask(paths=[*settings]),
            request_id=request_id_or_new(request_id),
        )
        return (await self._wire.unary(self._wire.retention.UpdateRetentionPolicy, request, timeout)).retention_policy

    @call
    async def delete_retention_policy(
        self,
        policy: PolicyLike,
        *,
        etag: str = "",
        space: str | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> None:
        """Delete a policy; what it did stays done. Raises NotFound, Aborted when `etag` is old."""
        name, request_id = self._policy(policy, space), request_id_or_new(request_id)
        request = DeleteRetentionPolicyRequest(name=name, etag=etag, request_id=request_id)
        await self._wire.unary(self._wire.retention.DeleteRetentionPolicy, request, timeout)

    @results
    def run_retention(
        self, *, space: str | None = None, dry_run: bool = False, timeout: float | None = None
    ) -> Results[RunRetentionResponse]:
        """Apply the policies now; tell how far it has come, and at the end what came of it.

        It is a job, which goes on when the reader stops; another one of the tenant waits for its end. Without `timeout`
        it takes its time. Raises Aborted when it failed or was cancelled.
        dry_run: changes nothing; the summary names the first 500 memories that would change.
        """
        request = RunRetentionRequest(parent=self._parent(space), dry_run=dry_run)
        seconds = FOREVER if timeout is None else timeout
        return Results(self._wire.stream(self._wire.retention.RunRetention, request, seconds), lambda part: [part])

    def _policy(self, policy: PolicyLike, space: str | None) -> str:
        name = policy.name if isinstance(policy, RetentionPolicy) else policy
        return name if name.startswith("spaces/") else f"{self._parent(space)}/retentionPolicies/{name}"


def _to_policy(settings: PolicySettings) -> RetentionPolicy:
    given: dict[str, Any] = {key: value for key, value in settings.items() if value is not None}
    if "action" in given:
        given["action"] = f"RETENTION_ACTION_{given['action'].upper()}"
    if "kinds" in given:
        given["kinds"] = [f"MEMORY_KIND_{kind.upper()}" for kind in given["kinds"]]
    return RetentionPolicy(**given)
