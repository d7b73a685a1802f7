"""Policies of retention: what they are, and what applying them needs from outside."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple, Protocol, TypeAlias

from quipu_server.domain import Kind, Memory, RequestKey, Revisions, Space
from quipu_server.filters import Condition

ALL_SPACES = "-"
"""Stands for the space of what concerns all spaces of a tenant; no space can be called so."""
MOST_POLICIES = 100
"""Of one space, and of one tenant for all its spaces."""


class Action(IntEnum):
    """What becomes of memories; numbers are those of the API and of the database."""

    ARCHIVE = 1
    DELETE = 2


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """What a caller says of a policy; see `RetentionPolicy` in the API. None and empty: no such condition."""

    action: Action
    priority: int = 0
    disabled: bool = False
    older_than_s: float | None = None
    by_event_time: bool = False
    importance_at_most: float | None = None
    session_idle_for_s: float | None = None
    kinds: tuple[Kind, ...] = ()
    tags: tuple[str, ...] = ()
    filter: str = ""
    archived_for_s: float | None = None
    keep_at_most: int | None = None


@dataclass(frozen=True, slots=True)
class Home:
    """Whose policies: those of a space, or for None those for all spaces of the tenant."""

    tenant: str
    space: Space | None

    @property
    def resource_name(self) -> str:
        return f"spaces/{ALL_SPACES if self.space is None else self.space.name}"


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as stored. home: name of whose it is, `spaces/{space}`."""

    home: str
    id: str
    settings: PolicySettings
    version: int
    create_time: datetime
    update_time: datetime

    @property
    def resource_name(self) -> str:
        return f"{self.home}/retentionPolicies/{self.id}"

    @property
    def etag(self) -> str:
        return f"{self.version}"

    @property
    def place(self) -> tuple[int, bool, str]:
        """Policies are tried in this order."""
        return self.settings.priority, self.home == f"spaces/{ALL_SPACES}", self.id


PolicyChange: TypeAlias = Callable[[PolicySettings], PolicySettings]


class Scope(IntEnum):
    """Which memories a rule looks at: those in use, all that are not deleted, or archived ones."""

    IN_USE = 1
    KEPT = 2
    ARCHIVED = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """Which memories meet a policy, but for those that are kept.

    idle_since: they are messages of sessions that ended, or had their last message, at this time or before.
    """

    scope: Scope
    condition: Condition | None
    idle_since: datetime | None = None


class Moment(NamedTuple):
    """What a run decides by: a revision of a space, and the time."""

    revision: int
    now: datetime


class PolicyStore(Protocol):
    """Keeps policies. Every method may raise StoreUnavailable; those with a request, RequestIdReused."""

    async def create_policy(
        self, home: Home, policy_id: str, settings: PolicySettings, request: RequestKey | None
    ) -> Policy:
        """Store a new policy.

        Raises AlreadyExists, NotFound when the space or tenant is gone, FailedPrecondition (RETENTION_POLICY_LIMIT).
        With a request that was answered before: the policy it created.
        """

    async def find_policy(self, home: Home, policy_id: str) -> Policy | None:
        """The policy."""

    async def list_policies(self, home: Home) -> Sequence[Policy]:
        """Those that apply, in the order in which they are tried: for a space also those for all spaces."""

    async def change_policy(
        self, home: Home, policy_id: str, change: PolicyChange, etag: str, request: RequestKey | None
    ) -> Policy:
        """Store what the change, which may raise, makes of the newest version. Raises NotFound, EtagMismatch."""

    async def delete_policy(self, home: Home, policy_id: str, etag: str, request: RequestKey | None) -> None:
        """Destroy a policy. Raises NotFound, EtagMismatch."""

    async def tenants_with_policies(self, after: str, limit: int) -> Sequence[str]:
        """At most `limit` tenants with policies, with ids greater than `after`, by id."""


class RetentionStore(Protocol):
    """Finds what policies are about. Every method may raise StoreUnavailable."""

    async def meeting(self, space: Space, rule: Rule, moment: Moment) -> Revisions:
        """The versions, current at the moment, that meet a rule, in the order in which they are given up.

        That is: expired ones, archived ones, the least important, the oldest by event time or else creation, by id.
        """

    async def still_current(self, space: Space, revisions: Revisions) -> Sequence[Memory]:
        """Those of the versions that are current now, by revision."""
