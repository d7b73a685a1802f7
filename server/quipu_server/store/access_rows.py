"""Rows of tenants, keys and audit entries as objects of the domain."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from quipu_server.access.domain import ApiKey, AuditEntry, GuardPolicy, Limit, Limits, Role, Tenant

TENANT_COLUMNS = "tenant, display_name, limits, guard_policy, create_time, update_time"
KEY_COLUMNS = """
    tenant, key_id, role, digest, display_name, space_prefixes, limits, create_time, expire_time, revoke_time,
    previous_digest, previous_expire_time
"""
AUDIT_COLUMNS = "tenant, actor, method, resource, details, entry_id, create_time"


def to_tenant(row: Sequence[Any]) -> Tenant:
    """The tenant of a row of TENANT_COLUMNS."""
    tenant, display_name, limits, policy, *times = row
    return Tenant(tenant, display_name, decode_limits(limits), decode_policy(policy), *times)


def to_key(row: Sequence[Any]) -> ApiKey:
    """The key of a row of KEY_COLUMNS."""
    tenant, key_id, role, digest, display_name, prefixes, limits, *rest = row
    return ApiKey(tenant, key_id, Role(role), digest, display_name, tuple(prefixes), decode_limits(limits), *rest)


def to_audit_entry(row: Sequence[Any]) -> AuditEntry:
    """The entry of a row of AUDIT_COLUMNS."""
    tenant, actor, method, resource, details, entry_id, create_time = row
    return AuditEntry(tenant, actor, method, resource, details, str(entry_id), create_time)


def encode_limits(limits: Limits) -> Jsonb:
    """Those limits that there are, as JSON: `{"requests": [1000, 60]}`."""
    given = {name: getattr(limits, name) for name in Limits.__slots__}
    return Jsonb({name: [limit.count, limit.window_s] for name, limit in given.items() if limit is not None})


def decode_limits(document: Mapping[str, Any]) -> Limits:
    """The limits of `encode_limits`."""
    return Limits(**{name: Limit(count, window_s) for name, (count, window_s) in document.items()})


def encode_policy(policy: GuardPolicy) -> Jsonb:
    """A guard policy without what it leaves to the server, as JSON: `{"redact_personal": true}`."""
    return Jsonb({name: value for name in GuardPolicy.__slots__ if (value := getattr(policy, name))})


def decode_policy(document: Mapping[str, Any]) -> GuardPolicy:
    """The guard policy of `encode_policy`."""
    return GuardPolicy(**document)
