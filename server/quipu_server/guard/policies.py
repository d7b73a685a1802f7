"""What a tenant wants of the guard."""

from dataclasses import dataclass
from typing import Protocol

from quipu_server.access.domain import GuardPolicy, caller_or_nobody


class GuardPolicies(Protocol):
    """Knows the policy of each tenant."""

    async def policy(self, tenant: str) -> GuardPolicy:
        """What the guard does for a tenant. Asked at every write."""


@dataclass(frozen=True, slots=True)
class CallersPolicies:
    """`GuardPolicies` that came with the caller's key, each beside what is done for all.

    Work in the background, and everybody on a server without credentials, has what is done for all.
    """

    for_all: GuardPolicy

    async def policy(self, tenant: str) -> GuardPolicy:
        who = caller_or_nobody()
        return self.for_all if who is None or who.tenant != tenant else self.for_all.and_also(who.guard_policy)
