"""Use cases of administration. Whoever is asked knows that the caller has the role ADMIN or the master key."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from quipu_server.access.authentication import Credentials
from quipu_server.access.domain import ApiKey, AuditEntry, Caller, Role, Tenant
from quipu_server.access.ports import AccessStore
from quipu_server.access.secrets import digest_secret, new_id, new_secret, write_credential
from quipu_server.errors import FailedPrecondition, InvalidArgument, NotFound, TenantNotAllowed


class Administration:
    """Administers tenants and keys; a key only those of its own tenant, whether there are others or not."""

    def __init__(self, store: AccessStore, credentials: Credentials | None) -> None:
        self._store = store
        self._credentials = credentials

    async def create_tenant(self, who: Caller, tenant: Tenant) -> Tenant:
        """Store a new tenant. Raises AlreadyExists."""
        self._admit(who, tenant.id)
        details = _policy_details(tenant) if str(tenant.guard_policy) else {}
        return await self._store.create_tenant(tenant, _entry(who, "CreateTenant", tenant.id, details=details))

    async def get_tenant(self, who: Caller, tenant: str) -> Tenant:
        """A tenant. Raises NotFound, TenantNotAllowed."""
        self._admit(who, tenant)
        if (found := await self._store.find_tenant(tenant)) is None:
            raise NotFound("tenant", f"tenants/{tenant}")
        return found

    async def list_tenants(self, who: Caller, after: str, limit: int) -> Sequence[Tenant]:
        """At most `limit` tenants with ids greater than `after`."""
        self._admit(who, None)
        return await self._store.list_tenants(after, limit)

    async def update_tenant(self, who: Caller, changed: Tenant, paths: frozenset[str]) -> Tenant:
        """Change what the paths name. Raises NotFound."""
        self._admit(who, changed.id)
        changes = {path: getattr(changed, path) for path in paths}
        details = _policy_details(changed) if "guard_policy" in paths else {}
        entry = _entry(who, "UpdateTenant", changed.id, details={"fields": ", ".join(sorted(paths)), **details})
        return await self._store.change_tenant(changed.id, lambda tenant: replace(tenant, **changes), entry)

    async def delete_tenant(self, who: Caller, tenant: str, *, force: bool) -> int:
        """Destroy a tenant; return how many spaces went with it. Raises NotFound, TENANT_NOT_EMPTY."""
        self._admit(who, tenant)
        entry = _entry(who, "DeleteTenant", tenant, details={"force": str(force).lower()})
        return await self._store.delete_tenant(tenant, entry, force=force)

    async def create_key(self, who: Caller, wanted: ApiKey) -> tuple[ApiKey, str]:
        """Store a new key; return it and what its holder sends. Raises NotFound for its tenant, InvalidArgument."""
        pepper = self._admit(who, wanted.tenant)
        key_id, secret = new_id(), new_secret()
        key = _checked(replace(wanted, id=key_id, digest=digest_secret(pepper, key_id, secret)))
        entry = _entry(who, "CreateApiKey", key.tenant, key_id, {"role": key.role.label})
        return await self._store.create_key(key, entry), write_credential(key_id, secret)

    async def get_key(self, who: Caller, tenant: str, key_id: str) -> ApiKey:
        """A key. Raises NotFound."""
        self._admit(who, tenant)
        if (found := await self._store.find_key(tenant, key_id)) is None:
            raise NotFound("api_key", f"tenants/{tenant}/apiKeys/{key_id}")
        return found

    async def list_keys(self, who: Caller, tenant: str, after: str, limit: int) -> Sequence[ApiKey]:
        """At most `limit` keys of a tenant with ids greater than `after`. Raises NotFound for the tenant."""
        self._admit(who, tenant)
        if (found := await self._store.list_keys(tenant, after, limit)) or after:
            return found
        await self.get_tenant(who, tenant)
        return []

    async def update_key(self, who: Caller, changed: ApiKey, paths: frozenset[str]) -> ApiKey:
        """Change what the paths name. Raises NotFound, API_KEY_REVOKED, InvalidArgument."""
        self._admit(who, changed.tenant)
        changes = {path: getattr(changed, path) for path in paths}

        def change(key: ApiKey, _: datetime) -> ApiKey:
            _check_good(key)
            return _checked(replace(key, **changes))

        entry = _entry(who, "UpdateApiKey", changed.tenant, changed.id, {"fields": ", ".join(sorted(paths))})
        return await self._store.change_key(changed.tenant, changed.id, change, entry)

    async def rotate_key(self, who: Caller, tenant: str, key_id: str, grace_s: float) -> tuple[ApiKey, str]:
        """Give a key a new secret; return it and what its holder sends. Raises NotFound, API_KEY_REVOKED.

        grace_s: how long the old secret stays good.
        """
        pepper, secret = self._admit(who, tenant), new_secret()
        digest = digest_secret(pepper, key_id, secret)

        def change(key: ApiKey, now: datetime) -> ApiKey:
            _check_good(key)
            end = now + timedelta(seconds=grace_s)
            return replace(key, digest=digest, previous_digest=key.digest, previous_expire_time=end)

        entry = _entry(who, "RotateApiKey", tenant, key_id, {"grace_s": f"{grace_s:g}"})
        return await self._store.change_key(tenant, key_id, change, entry), write_credential(key_id, secret)

    async def revoke_key(self, who: Caller, tenant: str, key_id: str) -> ApiKey:
        """Make a key useless for good. Raises NotFound."""
        self._admit(who, tenant)
        entry = _entry(who, "RevokeApiKey", tenant, key_id)
        return await self._store.change_key(
            tenant, key_id, lambda key, now: replace(key, revoke_time=key.revoke_time or now), entry
        )

    async def audit(
        self, who: Caller, tenant: str | None, before: tuple[datetime, str] | None, limit: int
    ) -> Sequence[AuditEntry]:
        """At most `limit` entries, newest first; those of all tenants for None."""
        self._admit(who, tenant)
        return await self._store.audit_entries(tenant, before, limit)

    def _admit(self, who: Caller, tenant: str | None) -> bytes:
        """What digests are made with. Raises FailedPrecondition without credentials, TenantNotAllowed."""
        if self._credentials is None:
            message = "the server runs without credentials: give it QUIPU_KEY_SECRET and QUIPU_MASTER_KEY first"
            raise FailedPrecondition("server", message, reason="ACCESS_CONTROL_OFF")
        if who.role is not Role.MASTER and who.tenant != tenant:
            raise TenantNotAllowed(f"tenants/{tenant or '-'}")
        return self._credentials.pepper


def _checked(key: ApiKey) -> ApiKey:
    """The key. Raises InvalidArgument when it could make itself another that allows more."""
    if key.role is Role.ADMIN and key.space_prefixes:
        raise InvalidArgument("api_key.space_prefixes", "must be empty for the role ADMIN, which may make any key")
    return key


def _check_good(key: ApiKey) -> None:
    if key.revoke_time is not None:
        raise FailedPrecondition(
            key.resource_name, "the key is revoked, which cannot be undone; create a new one", reason="API_KEY_REVOKED"
        )


def _policy_details(tenant: Tenant) -> Mapping[str, str]:
    """What the guard does from now on."""
    return {"guard_policy": str(tenant.guard_policy) or "none"}


def _entry(
    who: Caller, method: str, tenant: str, key_id: str = "", details: Mapping[str, str] | None = None
) -> AuditEntry:
    resource = f"tenants/{tenant}/apiKeys/{key_id}" if key_id else f"tenants/{tenant}"
    return AuditEntry(tenant, who.actor, method, resource, details or {})
