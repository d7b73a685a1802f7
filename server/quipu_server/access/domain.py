"""Tenants, keys and callers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

from quipu_server.errors import SpaceNotAllowed

DEFAULT_TENANT = "default"
"""Whom everything belongs to on a server without credentials."""
MASTER = "master"
"""Who administers with the master key."""


class Role(IntEnum):
    """What a credential allows; each role allows what those before it do. Numbers are those of the API.

    MASTER is the role of the master key, which no key can have.
    """

    READ = 1
    WRITE = 2
    ADMIN = 3
    MASTER = 4

    @property
    def label(self) -> str:
        return self.name.lower()


class Measure(StrEnum):
    """What is limited; the names are those of the fields of Limits."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    MEMORIES = "memories"


@dataclass(frozen=True, slots=True)
class Limit:
    """So much in any span of so many seconds."""

    count: int
    window_s: int

    def __str__(self) -> str:
        return f"{self.count},{self.window_s}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be used; None: as much as one likes."""

    requests: Limit | None = None
    tokens: Limit | None = None
    memories: Limit | None = None

    def of(self, measure: Measure) -> Limit | None:
        limit: Limit | None = getattr(self, measure.value)
        return limit


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """What is done at every write. region: country (ISO 3166) of phone numbers without a country code; "" for none."""

    block_secrets: bool = False
    redact_personal: bool = False
    region: str = ""

    def __str__(self) -> str:
        given = {name: getattr(self, name) for name in GuardPolicy.__slots__}
        return ", ".join(name if value is True else f"{name}={value}" for name, value in given.items() if value)

    @property
    def does_nothing(self) -> bool:
        return not (self.block_secrets or self.redact_personal)

    def and_also(self, more: "GuardPolicy") -> "GuardPolicy":
        """What both want; the region of `more`, if it has one."""
        return GuardPolicy(
            self.block_secrets or more.block_secrets,
            self.redact_personal or more.redact_personal,
            more.region or self.region,
        )


@dataclass(frozen=True, slots=True)
class Tenant:
    """A customer. `id` is the caller's, and unique."""

    id: str
    display_name: str = ""
    limits: Limits = Limits()
    guard_policy: GuardPolicy = GuardPolicy()
    create_time: datetime | None = None
    update_time: datetime | None = None

    @property
    def resource_name(self) -> str:
        return f"tenants/{self.id}"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as stored. `digest` is all that is kept of its secret, `previous_digest` of the one before a rotation.

    space_prefixes: the key is good for spaces only whose ids begin with one of them; () for all.
    """

    tenant: str
    id: str
    role: Role
    digest: bytes = field(repr=False)
    display_name: str = ""
    space_prefixes: tuple[str, ...] = ()
    limits: Limits = Limits()
    create_time: datetime | None = None
    expire_time: datetime | None = None
    revoke_time: datetime | None = None
    previous_digest: bytes = field(default=b"", repr=False)
    previous_expire_time: datetime | None = None

    @property
    def resource_name(self) -> str:
        return f"tenants/{self.tenant}/apiKeys/{self.id}"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that was administered. `tenant` is whom it concerned."""

    tenant: str
    actor: str
    method: str
    resource: str
    details: Mapping[str, str] = field(default_factory=dict)
    id: str = ""
    create_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `key_id` is empty for the master key, and on a server without credentials."""

    tenant: str
    role: Role
    key_id: str = ""
    space_prefixes: tuple[str, ...] = ()
    key_limits: Limits = Limits()
    tenant_limits: Limits = Limits()
    guard_policy: GuardPolicy = GuardPolicy()

    @property
    def actor(self) -> str:
        """What the audit log calls it."""
        return f"tenants/{self.tenant}/apiKeys/{self.key_id}" if self.key_id else MASTER

    def may_use(self, space: str) -> bool:
        """Whether the key is good for a space; "" for what is of no space, or of all."""
        return not self.space_prefixes or space.startswith(self.space_prefixes)

    def check_space(self, space: str) -> None:
        """Raise SpaceNotAllowed for a space that the key is not good for."""
        if not self.may_use(space):
            raise SpaceNotAllowed(f"spaces/{space}")


ANYBODY = Caller(DEFAULT_TENANT, Role.MASTER)
"""Every caller of a server without credentials."""

_caller: ContextVar[Caller] = ContextVar("caller")


def caller() -> Caller:
    """Who made the call that this task serves. Raises LookupError outside of calls."""
    return _caller.get()


def caller_or_nobody() -> Caller | None:
    """Who made the call that this task serves; None in the background."""
    return _caller.get(None)


def set_caller(who: Caller) -> None:
    """Say who made the call that this task serves."""
    _caller.set(who)


@contextmanager
def called_by(who: Caller) -> Iterator[None]:
    """Say for a while who calls."""
    token = _caller.set(who)
    try:
        yield
    finally:
        _caller.reset(token)
