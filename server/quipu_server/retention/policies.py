"""Use cases of policies: keeping them."""

from collections.abc import Sequence
from dataclasses import replace

from quipu_server.domain import RequestKey
from quipu_server.errors import NotFound
from quipu_server.ports.retention import ALL_SPACES, Home, Policy, PolicySettings, PolicyStore
from quipu_server.retention.rules import check_settings
from quipu_server.spaces import Spaces


class Policies:
    """Keeps policies. space: name of a space, or ALL_SPACES. Every method raises NotFound for the space."""

    def __init__(self, store: PolicyStore, spaces: Spaces) -> None:
        self._store = store
        self._spaces = spaces

    async def create(
        self, tenant: str, space: str, policy_id: str, settings: PolicySettings, request: RequestKey | None
    ) -> Policy:
        """Store a new policy. Raises AlreadyExists, InvalidArgument, FailedPrecondition when there are too many."""
        home = await self._home(tenant, space)
        return await self._store.create_policy(home, policy_id, check_settings(settings), request)

    async def get(self, tenant: str, space: str, policy_id: str) -> Policy:
        """The policy. Raises NotFound."""
        home = await self._home(tenant, space)
        if (found := await self._store.find_policy(home, policy_id)) is None:
            raise NotFound("retention_policy", f"{home.resource_name}/retentionPolicies/{policy_id}")
        return found

    async def list(self, tenant: str, space: str) -> Sequence[Policy]:
        """Those that apply, in the order in which they are tried."""
        return await self._store.list_policies(await self._home(tenant, space))

    async def update(
        self,
        tenant: str,
        space: str,
        policy_id: str,
        settings: PolicySettings,
        fields: frozenset[str],
        *,
        etag: str,
        request: RequestKey | None,
    ) -> Policy:
        """Change the given fields of PolicySettings. Raises NotFound, EtagMismatch, InvalidArgument."""
        changes = {name: getattr(settings, name) for name in fields}
        return await self._store.change_policy(
            await self._home(tenant, space),
            policy_id,
            lambda found: check_settings(replace(found, **changes)),
            etag,
            request,
        )

    async def delete(self, tenant: str, space: str, policy_id: str, *, etag: str, request: RequestKey | None) -> None:
        """Destroy a policy. Raises NotFound, EtagMismatch."""
        await self._store.delete_policy(await self._home(tenant, space), policy_id, etag, request)

    async def _home(self, tenant: str, space: str) -> Home:
        return Home(tenant, None if space == ALL_SPACES else await self._spaces.find(tenant, space))
