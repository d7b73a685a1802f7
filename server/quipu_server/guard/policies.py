"""What a tenant wants of the guard."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """What is done at every write. region: country (ISO 3166) of phone numbers without a country code; "" for none."""

    block_secrets: bool = False
    redact_personal: bool = False
    region: str = ""


EVERYTHING_PASSES = GuardPolicy()


class GuardPolicies(Protocol):
    """Knows the policy of each tenant."""

    async def policy(self, tenant: str) -> GuardPolicy:
        """What the guard does for a tenant. Asked at every write."""


@dataclass(frozen=True, slots=True)
class SamePolicy:
    """`GuardPolicies` that are the same for all."""

    same: GuardPolicy

    async def policy(self, tenant: str) -> GuardPolicy:
        return self.same
