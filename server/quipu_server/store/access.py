"""Tenants, keys and the audit log in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from quipu_server.access.domain import ApiKey, AuditEntry, Tenant
from quipu_server.access.ports import KeyChange, KnownKey, TenantChange
from quipu_server.errors import AlreadyExists, FailedPrecondition, NotFound
from quipu_server.store.access_rows import (
    AUDIT_COLUMNS,
    KEY_COLUMNS,
    TENANT_COLUMNS,
    decode_limits,
    decode_policy,
    encode_limits,
    encode_policy,
    to_audit_entry,
    to_key,
    to_tenant,
)
from quipu_server.store.database import Database
from quipu_server.store.links import Connection
from quipu_server.store.spaces import erase_spaces

_CREATE_TENANT = f"""
INSERT INTO tenants ({TENANT_COLUMNS}) VALUES (%s, %s, %s, %s, now(), now())
ON CONFLICT DO NOTHING RETURNING {TENANT_COLUMNS}
"""
_UPDATE_TENANT = f"""
UPDATE tenants SET display_name = %s, limits = %s, guard_policy = %s, update_time = now()
WHERE tenant = %s RETURNING {TENANT_COLUMNS}
"""
_FIND_TENANT = f"SELECT {TENANT_COLUMNS} FROM tenants WHERE tenant = %s"
_CREATE_KEY = f"INSERT INTO api_keys VALUES ({'%s, ' * 7}now(), %s, %s, %s, %s) RETURNING {KEY_COLUMNS}"
_UPDATE_KEY = f"""
UPDATE api_keys SET role = %s, digest = %s, display_name = %s, space_prefixes = %s, limits = %s, expire_time = %s,
    revoke_time = %s, previous_digest = %s, previous_expire_time = %s
WHERE tenant = %s AND key_id = %s RETURNING {KEY_COLUMNS}
"""
_FIND_KEY = f"SELECT {KEY_COLUMNS} FROM api_keys WHERE tenant = %s AND key_id = %s"
_KNOWN = f"""
SELECT k.*, t.limits, t.guard_policy, clock_timestamp()
FROM (SELECT {KEY_COLUMNS} FROM api_keys WHERE key_id = $1::text) k JOIN tenants t USING (tenant)
"""
_RECORD = f"INSERT INTO audit_entries ({AUDIT_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, clock_timestamp())"
_ENTRIES = f"""
SELECT {AUDIT_COLUMNS} FROM audit_entries
WHERE (%(tenant)s::text IS NULL OR tenant = %(tenant)s)
AND (%(time)s::timestamptz IS NULL OR (create_time, entry_id) < (%(time)s, %(id)s::uuid))
ORDER BY create_time DESC, entry_id DESC LIMIT %(limit)s
"""


class PostgresAccessStore:
    """An `AccessStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known_keys(self, key_id: str) -> Sequence[KnownKey]:
        rows = await self._database.fetch_unlocked(_KNOWN, key_id.encode())
        # A key without a tenant, which is not among them, belongs to one that is being deleted.
        return [
            KnownKey(to_key(key), decode_limits(limits), now, decode_policy(policy))
            for *key, limits, policy, now in rows
        ]

    async def create_tenant(self, tenant: Tenant, entry: AuditEntry) -> Tenant:
        values = (tenant.id, tenant.display_name, encode_limits(tenant.limits), encode_policy(tenant.guard_policy))
        async with self._database.transaction(tenant.id) as connection:
            if (row := await (await connection.execute(_CREATE_TENANT, values)).fetchone()) is None:
                raise AlreadyExists("tenant", tenant.resource_name)
            await _record(connection, entry)
            return to_tenant(row)

    async def find_tenant(self, tenant: str) -> Tenant | None:
        async with self._database.transaction(tenant) as connection:
            return await _find_tenant(connection, _FIND_TENANT, tenant)

    async def list_tenants(self, after: str, limit: int) -> Sequence[Tenant]:
        query = f"SELECT {TENANT_COLUMNS} FROM tenants WHERE tenant > %s ORDER BY tenant LIMIT %s"
        async with self._database.unlocked() as connection:
            return [to_tenant(row) for row in await (await connection.execute(query, (after, limit))).fetchall()]

    async def change_tenant(self, tenant: str, change: TenantChange, entry: AuditEntry) -> Tenant:
        async with self._database.transaction(tenant) as connection:
            changed = change(await _lock_tenant(connection, tenant))
            settings = (encode_limits(changed.limits), encode_policy(changed.guard_policy))
            row = await (await connection.execute(_UPDATE_TENANT, (changed.display_name, *settings, tenant))).fetchone()
            assert row is not None  # it is locked
            await _record(connection, entry)
            return to_tenant(row)

    async def delete_tenant(self, tenant: str, entry: AuditEntry, *, force: bool) -> int:
        async with self._database.unlocked() as connection:
            found = await _lock_tenant(connection, tenant)
            count = await _count_spaces(connection, tenant)
            if count and not force:
                message = f"the tenant {tenant!r} has {count} spaces; force destroys them as well"
                metadata = {"space_count": str(count)}
                raise FailedPrecondition(found.resource_name, message, reason="TENANT_NOT_EMPTY", metadata=metadata)
            await erase_spaces(connection, tenant)
            for table in ("space_requests", "retention_policies", "api_keys", "tenants"):
                await connection.execute(f"DELETE FROM {table} WHERE tenant = %s", (tenant,))
            await _record(connection, entry)
            return count

    async def create_key(self, key: ApiKey, entry: AuditEntry) -> ApiKey:
        async with self._database.transaction(key.tenant) as connection:
            await _lock_tenant(connection, key.tenant, "FOR SHARE")
            limits = encode_limits(key.limits)
            first = (key.tenant, key.id, key.role, key.digest, key.display_name, list(key.space_prefixes), limits)
            rest = (key.expire_time, key.revoke_time, key.previous_digest, key.previous_expire_time)
            row = await (await connection.execute(_CREATE_KEY, (*first, *rest))).fetchone()
            assert row is not None
            await _record(connection, entry)
            return to_key(row)

    async def find_key(self, tenant: str, key_id: str) -> ApiKey | None:
        async with self._database.transaction(tenant) as connection:
            row = await (await connection.execute(_FIND_KEY, (tenant, key_id))).fetchone()
        return None if row is None else to_key(row)

    async def list_keys(self, tenant: str, after: str, limit: int) -> Sequence[ApiKey]:
        query = f"SELECT {KEY_COLUMNS} FROM api_keys WHERE tenant = %s AND key_id > %s ORDER BY key_id LIMIT %s"
        async with self._database.transaction(tenant) as connection:
            return [to_key(row) for row in await (await connection.execute(query, (tenant, after, limit))).fetchall()]

    async def change_key(self, tenant: str, key_id: str, change: KeyChange, entry: AuditEntry) -> ApiKey:
        query = f"SELECT clock_timestamp(), {KEY_COLUMNS} FROM ({_FIND_KEY} FOR UPDATE) k"
        async with self._database.transaction(tenant) as connection:
            row = await (await connection.execute(query, (tenant, key_id))).fetchone()
            if row is None:
                raise NotFound("api_key", f"tenants/{tenant}/apiKeys/{key_id}")
            now, *found = row
            key = change(to_key(found), now)
            changed = (key.role, key.digest, key.display_name, list(key.space_prefixes), encode_limits(key.limits))
            rest = (key.expire_time, key.revoke_time, key.previous_digest, key.previous_expire_time, tenant, key_id)
            stored = await (await connection.execute(_UPDATE_KEY, (*changed, *rest))).fetchone()
            assert stored is not None  # it is locked
            await _record(connection, entry)
            return to_key(stored)

    async def audit_entries(
        self, tenant: str | None, before: tuple[datetime, str] | None, limit: int
    ) -> Sequence[AuditEntry]:
        time, entry_id = before or (None, None)
        parameters = {"tenant": tenant, "time": time, "id": entry_id and UUID(entry_id), "limit": limit}
        within = self._database.transaction(tenant) if tenant is not None else self._database.unlocked()
        async with within as connection:
            rows = await (await connection.execute(_ENTRIES, parameters, prepare=False)).fetchall()
        return [to_audit_entry(row) for row in rows]


async def _find_tenant(connection: Connection, query: str, tenant: str) -> Tenant | None:
    row = await (await connection.execute(query, (tenant,))).fetchone()
    return None if row is None else to_tenant(row)


async def _lock_tenant(connection: Connection, tenant: str, strength: str = "FOR UPDATE") -> Tenant:
    """The tenant, which nobody else changes or deletes until the transaction ends. Raises NotFound."""
    if (found := await _find_tenant(connection, f"{_FIND_TENANT} {strength}", tenant)) is None:
        raise NotFound("tenant", f"tenants/{tenant}")
    return found


async def _count_spaces(connection: Connection, tenant: str) -> int:
    row = await (await connection.execute("SELECT count(*) FROM spaces WHERE tenant = %s", (tenant,))).fetchone()
    assert row is not None
    return int(row[0])


async def _record(connection: Connection, entry: AuditEntry) -> None:
    """Keep an entry in the transaction that does what it tells."""
    facts = (entry.tenant, entry.actor, entry.method, entry.resource, Jsonb(dict(entry.details)))
    await connection.execute(_RECORD, (*facts, uuid4()))
