"""What access control needs from outside."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from quipu_server.access.domain import ApiKey, AuditEntry, GuardPolicy, Limits, Measure, Tenant

TenantChange: TypeAlias = Callable[[Tenant], Tenant]
KeyChange: TypeAlias = Callable[[ApiKey, datetime], ApiKey]
"""Gets the key as stored and the time of the database."""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key with what its tenant has set, and the time of the database when it was read."""

    key: ApiKey
    tenant_limits: Limits
    read_time: datetime
    guard_policy: GuardPolicy = GuardPolicy()


class UsageMeter(Protocol):
    """Counts what the caller of this task uses; work in the background is free."""

    def check(self, measure: Measure) -> None:
        """Raise QuotaExceeded when the caller has nothing left."""

    def spend(self, measure: Measure, amount: int) -> None:
        """Count what was used. It may be more than was left: what has begun is finished."""


class Unmetered:
    """A UsageMeter for who may use as much as they like."""

    def check(self, measure: Measure) -> None:
        """Nothing is refused."""

    def spend(self, measure: Measure, amount: int) -> None:
        """Nothing is counted."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where something is counted: for a tenant, or with `key_id` for a key, in windows of a length."""

    tenant: str
    key_id: str
    measure: Measure
    window_s: int

    @property
    def subject(self) -> str:
        """Whose it is, as a resource."""
        return f"tenants/{self.tenant}/apiKeys/{self.key_id}" if self.key_id else f"tenants/{self.tenant}"


@dataclass(frozen=True, slots=True)
class Counts:
    """What all servers have counted in the window that contains now and in the one before."""

    current: int
    previous: int


class UsageStore(Protocol):
    """Adds up what servers count."""

    async def now(self) -> float:
        """The time of the database, seconds since 1970. Raises StoreUnavailable."""

    async def add(self, used: Mapping[Account, int], now: float) -> Mapping[Account, Counts]:
        """Add to the windows that contain `now`; what they hold then, for each account. Raises StoreUnavailable."""


class KeySource(Protocol):
    """Finds keys to let callers in with."""

    async def known_keys(self, key_id: str) -> Sequence[KnownKey]:
        """The keys with an id, of whatever tenant: one at most, unless ids at random meet. Raises StoreUnavailable."""


class AccessStore(KeySource, Protocol):
    """Keeps tenants, keys and the audit log. Every change stores its audit entry in the same transaction.

    Every method raises StoreUnavailable when the database cannot be reached.
    """

    async def create_tenant(self, tenant: Tenant, entry: AuditEntry) -> Tenant:
        """Store a new tenant; times are set by the database. Raises AlreadyExists."""

    async def find_tenant(self, tenant: str) -> Tenant | None:
        """The tenant with this id."""

    async def list_tenants(self, after: str, limit: int) -> Sequence[Tenant]:
        """At most `limit` tenants with ids greater than `after`, by id."""

    async def change_tenant(self, tenant: str, change: TenantChange, entry: AuditEntry) -> Tenant:
        """Store what `change` makes of the tenant's settings. Raises NotFound, and what `change` raises."""

    async def delete_tenant(self, tenant: str, entry: AuditEntry, *, force: bool) -> int:
        """Destroy a tenant with its keys and spaces; return how many spaces went with it.

        Raises NotFound; FailedPrecondition (TENANT_NOT_EMPTY) when it has spaces and force is off.
        """

    async def create_key(self, key: ApiKey, entry: AuditEntry) -> ApiKey:
        """Store a new key; `create_time` is set by the database. Raises NotFound for its tenant."""

    async def find_key(self, tenant: str, key_id: str) -> ApiKey | None:
        """The key of a tenant with this id."""

    async def list_keys(self, tenant: str, after: str, limit: int) -> Sequence[ApiKey]:
        """At most `limit` keys of the tenant with ids greater than `after`, by id."""

    async def change_key(self, tenant: str, key_id: str, change: KeyChange, entry: AuditEntry) -> ApiKey:
        """Store what `change` makes of a key that nobody else changes meanwhile. Raises NotFound, as `change` does."""

    async def audit_entries(
        self, tenant: str | None, before: tuple[datetime, str] | None, limit: int
    ) -> Sequence[AuditEntry]:
        """At most `limit` entries, of one tenant or of all, newest first, after the one with this time and id."""
