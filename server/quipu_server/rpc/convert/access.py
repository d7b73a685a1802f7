"""Tenants, keys, limits and audit entries."""

from google.protobuf.duration_pb2 import Duration

from quipu.v1.admin_service_pb2 import AuditEntry as AuditEntryMessage
from quipu.v1.admin_service_pb2 import UpdateApiKeyRequest, UpdateTenantRequest
from quipu.v1.api_key_pb2 import ApiKey as ApiKeyMessage
from quipu.v1.api_key_pb2 import ApiKeyRole
from quipu.v1.guard_policy_pb2 import GuardPolicy as GuardPolicyMessage
from quipu.v1.limits_pb2 import Limit as LimitMessage
from quipu.v1.limits_pb2 import Limits as LimitsMessage
from quipu.v1.tenant_pb2 import Tenant as TenantMessage
from quipu_server.access.domain import ApiKey, AuditEntry, GuardPolicy, Limit, Limits, Role, Tenant
from quipu_server.errors import InvalidArgument
from quipu_server.guard.personal import is_region
from quipu_server.rpc.convert.masks import read_mask
from quipu_server.rpc.convert.times import read_duration, read_time, write_optional_time
from quipu_server.rpc.validate import check_count, check_known, check_text

MOST_DISPLAY_NAME_BYTES = 256
MOST_PREFIXES = 32
MOST_PREFIX_BYTES = 128
MOST_USES = 1_000_000_000_000
LONGEST_WINDOW_S = 31 * 86_400
LONGEST_GRACE_S = 31 * 86_400

_ROLES = {role.value: role for role in Role if role is not Role.MASTER}
_TENANT_PATHS = frozenset({"display_name", "limits", "guard_policy"})
_KEY_PATHS = frozenset({"display_name", "role", "space_prefixes", "limits", "expire_time"})


def read_tenant_settings(message: TenantMessage, tenant: str) -> Tenant:
    """A tenant with what a caller says of it. Raises InvalidArgument."""
    name = check_text(message.display_name, "tenant.display_name", MOST_DISPLAY_NAME_BYTES)
    limits = read_limits(message.limits, "tenant.limits")
    return Tenant(tenant, name, limits, _read_policy(message.guard_policy, "tenant.guard_policy"))


def read_tenant_mask(request: UpdateTenantRequest) -> frozenset[str]:
    """The settings to change. Raises InvalidArgument."""
    return read_mask(request, request.tenant, _TENANT_PATHS)


def read_key_settings(message: ApiKeyMessage, tenant: str, key_id: str = "", *, role_needed: bool = True) -> ApiKey:
    """A key with what a caller says of it, without a digest. Raises InvalidArgument."""
    role = check_known(message.role, "api_key.role", _ROLES) if role_needed or message.role else Role.READ
    return ApiKey(
        tenant,
        key_id,
        role,
        b"",
        display_name=check_text(message.display_name, "api_key.display_name", MOST_DISPLAY_NAME_BYTES),
        space_prefixes=_read_prefixes(message),
        limits=read_limits(message.limits, "api_key.limits"),
        expire_time=read_time(message.expire_time, "api_key.expire_time") if message.HasField("expire_time") else None,
    )


def read_key_mask(request: UpdateApiKeyRequest) -> frozenset[str]:
    """The fields to change. Raises InvalidArgument."""
    paths = read_mask(request, request.api_key, _KEY_PATHS)
    if "role" in paths:
        check_known(request.api_key.role, "api_key.role", _ROLES)
    return paths


def read_grace(message: Duration) -> float:
    """How long an old secret stays good, seconds. Raises InvalidArgument."""
    return read_duration(message, "grace", 0, LONGEST_GRACE_S)


def read_limits(message: LimitsMessage, path: str) -> Limits:
    """The limits that are set. Raises InvalidArgument."""
    given = {field.name: _read_limit(value, f"{path}.{field.name}") for field, value in message.ListFields()}
    return Limits(**given)


def write_limits(limits: Limits) -> LimitsMessage | None:
    """None when nothing is limited."""
    if limits == Limits():
        return None
    given = {name: getattr(limits, name) for name in Limits.__slots__}
    return LimitsMessage(**{name: _write_limit(limit) for name, limit in given.items() if limit is not None})


def write_tenant(tenant: Tenant) -> TenantMessage:
    return TenantMessage(
        name=tenant.resource_name,
        display_name=tenant.display_name,
        limits=write_limits(tenant.limits),
        create_time=write_optional_time(tenant.create_time),
        update_time=write_optional_time(tenant.update_time),
        guard_policy=_write_policy(tenant.guard_policy),
    )


def write_key(key: ApiKey) -> ApiKeyMessage:
    return ApiKeyMessage(
        name=key.resource_name,
        display_name=key.display_name,
        role=ApiKeyRole.Value(f"API_KEY_ROLE_{key.role.name}"),
        space_prefixes=key.space_prefixes,
        limits=write_limits(key.limits),
        create_time=write_optional_time(key.create_time),
        expire_time=write_optional_time(key.expire_time),
        revoke_time=write_optional_time(key.revoke_time),
        previous_secret_expire_time=write_optional_time(key.previous_expire_time),
    )


def write_audit_entry(entry: AuditEntry) -> AuditEntryMessage:
    return AuditEntryMessage(
        create_time=write_optional_time(entry.create_time),
        actor=entry.actor,
        method=entry.method,
        resource=entry.resource,
        details=entry.details,
    )


def _read_prefixes(message: ApiKeyMessage) -> tuple[str, ...]:
    check_count(message.space_prefixes, "api_key.space_prefixes", MOST_PREFIXES)
    return tuple(
        check_text(prefix, f"api_key.space_prefixes[{i}]", MOST_PREFIX_BYTES, required=True)
        for i, prefix in enumerate(message.space_prefixes)
    )


def _read_policy(message: GuardPolicyMessage, path: str) -> GuardPolicy:
    if not is_region(message.region):
        what = f"{message.region!r} is not a known country; it must be two capital letters, as DE, or empty"
        raise InvalidArgument(f"{path}.region", what)
    return GuardPolicy(message.block_secrets, message.redact_personal, message.region)


def _write_policy(policy: GuardPolicy) -> GuardPolicyMessage | None:
    """None when nothing is set."""
    given = {name: value for name in GuardPolicy.__slots__ if (value := getattr(policy, name))}
    return GuardPolicyMessage(**given) if given else None


def _read_limit(message: LimitMessage, path: str) -> Limit:
    if not 0 <= message.count <= MOST_USES:
        raise InvalidArgument(f"{path}.count", f"is {message.count:,}; it must be from 0 to {MOST_USES:,}")
    window_s = read_duration(message.window, f"{path}.window", 1, LONGEST_WINDOW_S)
    if window_s != int(window_s):
        raise InvalidArgument(f"{path}.window", "must be whole seconds")
    return Limit(message.count, int(window_s))


def _write_limit(limit: Limit) -> LimitMessage:
    return LimitMessage(count=limit.count, window=Duration(seconds=limit.window_s))
