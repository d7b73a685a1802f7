"""Calls that administer tenants and keys."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict, Unpack

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from quipu.dual import call, results
from quipu.operations import Operations
from quipu.results import Results
from quipu.v1 import admin_service_pb2 as messages
from quipu.v1.admin_service_pb2 import AuditEntry
from quipu.v1.api_key_pb2 import ApiKey, ApiKeyRole
from quipu.v1.guard_policy_pb2 import GuardPolicy
from quipu.v1.limits_pb2 import Limit, Limits
from quipu.v1.tenant_pb2 import Tenant
from quipu.values import to_duration, to_timestamp

RoleName: TypeAlias = Literal["read", "write", "admin"]
LimitName: TypeAlias = Literal["requests", "tokens", "memories"]
LimitsLike: TypeAlias = Mapping[LimitName, tuple[int, int]]
"""How much in how many seconds, as `{"requests": (1000, 60)}`."""


class GuardSettings(TypedDict, total=False):
    """What is done to secrets and personal data that a tenant writes, beside what the server does for all.

    region: country of phone numbers without a country code, as `DE`; that of the server if it is not given.
    """

    block_secrets: bool
    redact_personal: bool
    region: str


class TenantSettings(TypedDict, total=False):
    """The settings of a tenant. None stands for the default."""

    display_name: str | None
    limits: LimitsLike | None
    guard_policy: GuardSettings | None


class KeySettings(TypedDict, total=False):
    """What a key may be beside its role. None stands for the default."""

    display_name: str | None
    space_prefixes: list[str] | None
    limits: LimitsLike | None
    expire_time: datetime | None


class KeyChanges(KeySettings, total=False):
    """What can be changed of a key."""

    role: RoleName


class NewSecret(NamedTuple):
    """A key, and the secret that its holder sends. It cannot be had again."""

    key: ApiKey
    secret: str


class AdminOperations(Operations):
    """Everything about tenants and keys. It needs the master key, or a key with the role admin for its own tenant."""

    @call
    async def create_tenant(
        self, tenant: str, *, timeout: float | None = None, **settings: Unpack[TenantSettings]
    ) -> Tenant:
        """Create a tenant. Raises AlreadyExists."""
        request = messages.CreateTenantRequest(tenant_id=tenant, tenant=Tenant(**_messages(settings)))
        return (await self._wire.unary(self._wire.admin.CreateTenant, request, timeout)).tenant

    @call
    async def get_tenant(self, tenant: str, *, timeout: float | None = None) -> Tenant:
        """Return a tenant. Raises NotFound."""
        request = messages.GetTenantRequest(name=_tenant_name(tenant))
        return (await self._wire.unary(self._wire.admin.GetTenant, request, timeout)).tenant

    @results
    def tenants(self, *, page_size: int = 100, timeout: float | None = None) -> Results[Tenant]:
        """List the tenants by id. `timeout` counts for each page."""
        request = messages.ListTenantsRequest(page_size=page_size)
        return Results(self._pages(self._wire.admin.ListTenants, request, timeout), lambda page: page.tenants)

    @call
    async def update_tenant(
        self, tenant: str, *, timeout: float | None = None, **settings: Unpack[TenantSettings]
    ) -> Tenant:
        """Change the settings that are given. Raises NotFound."""
        changed = Tenant(name=_tenant_name(tenant), **_messages(settings))
        request = messages.UpdateTenantRequest(tenant=changed, update_mask=FieldMask(paths=[*settings]))
        return (await self._wire.unary(self._wire.admin.UpdateTenant, request, timeout)).tenant

    @call
    async def delete_tenant(self, tenant: str, *, force: bool = False, timeout: float | None = None) -> int:
        """Destroy a tenant with its keys for good and return how many spaces went with it.

        force: also when it has spaces; without it that raises FailedPrecondition.
        """
        request = messages.DeleteTenantRequest(name=_tenant_name(tenant), force=force)
        return (await self._wire.unary(self._wire.admin.DeleteTenant, request, timeout)).deleted_space_count

    @call
    async def create_api_key(
        self, tenant: str, role: RoleName, *, timeout: float | None = None, **settings: Unpack[KeySettings]
    ) -> NewSecret:
        """Create a key, and get its secret this once. Raises NotFound for the tenant.

        space_prefixes: the key is good for spaces only whose ids begin with one of them.
        """
        key = ApiKey(role=_role(role), **_messages(settings))
        request = messages.CreateApiKeyRequest(parent=_tenant_name(tenant), api_key=key)
        response = await self._wire.unary(self._wire.admin.CreateApiKey, request, timeout)
        return NewSecret(response.api_key, response.secret)

    @call
    async def get_api_key(self, key: str | ApiKey, *, timeout: float | None = None) -> ApiKey:
        """Return a key, without its secret, by its name. Raises NotFound."""
        request = messages.GetApiKeyRequest(name=_key_name(key))
        return (await self._wire.unary(self._wire.admin.GetApiKey, request, timeout)).api_key

    @results
    def api_keys(self, tenant: str, *, page_size: int = 100, timeout: float | None = None) -> Results[ApiKey]:
        """List the keys of a tenant by id, revoked ones included. `timeout` counts for each page."""
        request = messages.ListApiKeysRequest(parent=_tenant_name(tenant), page_size=page_size)
        return Results(self._pages(self._wire.admin.ListApiKeys, request, timeout), lambda page: page.api_keys)

    @call
    async def update_api_key(
        self, key: str | ApiKey, *, timeout: float | None = None, **changes: Unpack[KeyChanges]
    ) -> ApiKey:
        """Change what is given of a key. Raises NotFound, FailedPrecondition when it is revoked."""
        changed = ApiKey(name=_key_name(key), **_messages(changes))
        request = messages.UpdateApiKeyRequest(api_key=changed, update_mask=FieldMask(paths=[*changes]))
        return (await self._wire.unary(self._wire.admin.UpdateApiKey, request, timeout)).api_key

    @call
    async def rotate_api_key(
        self, key: str | ApiKey, *, grace: timedelta = timedelta(0), timeout: float | None = None
    ) -> NewSecret:
        """Give a key a new secret, and get it this once.

        grace: how long the old secret stays good.
        """
        request = messages.RotateApiKeyRequest(name=_key_name(key), grace=to_duration(grace))
        response = await self._wire.unary(self._wire.admin.RotateApiKey, request, timeout)
        return NewSecret(response.api_key, response.secret)

    @call
    async def revoke_api_key(self, key: str | ApiKey, *, timeout: float | None = None) -> ApiKey:
        """Make a key useless for good, on every server within 5 seconds. Raises NotFound."""
        request = messages.RevokeApiKeyRequest(name=_key_name(key))
        return (await self._wire.unary(self._wire.admin.RevokeApiKey, request, timeout)).api_key

    @results
    def audit_entries(
        self, tenant: str | None = None, *, page_size: int = 100, timeout: float | None = None
    ) -> Results[AuditEntry]:
        """List what was administered, newest first: of a tenant, or of all. `timeout` counts for each page."""
        parent = "" if tenant is None else _tenant_name(tenant)
        request = messages.ListAuditEntriesRequest(parent=parent, page_size=page_size)
        return Results(self._pages(self._wire.admin.ListAuditEntries, request, timeout), lambda page: page.entries)


def _tenant_name(tenant: str) -> str:
    """`tenants/{tenant}` from an id or a name. Raises ValueError for an empty one."""
    if not tenant:
        raise ValueError("tenant: must not be empty")
    return tenant if tenant.startswith("tenants/") else f"tenants/{tenant}"


def _key_name(key: str | ApiKey) -> str:
    return key.name if isinstance(key, ApiKey) else key


def _role(role: str) -> "ApiKeyRole.ValueType":
    """Raises ValueError for what is no role."""
    return ApiKeyRole.Value(f"API_KEY_ROLE_{role.upper()}")


def _messages(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are not None, as fields of messages."""
    given = {key: value for key, value in settings.items() if value is not None}
    convert: dict[str, Callable[[Any], Any]] = {
        "limits": _limits,
        "guard_policy": lambda policy: GuardPolicy(**policy),
        "expire_time": to_timestamp,
        "role": _role,
    }
    return {key: convert[key](value) if key in convert else value for key, value in given.items()}


def _limits(limits: LimitsLike) -> Limits:
    given = {name: Limit(count=count, window=Duration(seconds=seconds)) for name, (count, seconds) in limits.items()}
    return Limits(**given)
