"""What the settings and tenants say of the guard."""

import pytest

from quipu_server.access.domain import Caller, GuardPolicy, Role, called_by
from quipu_server.config import Settings
from quipu_server.guard import CallersPolicies

SECRETS, PERSONAL = GuardPolicy(block_secrets=True, region="US"), GuardPolicy(redact_personal=True, region="US")
BOTH = GuardPolicy(block_secrets=True, redact_personal=True, region="US")


SETTINGS = [("block_secrets", SECRETS), ("redact_personal", PERSONAL), ("both", BOTH)]


@pytest.mark.parametrize(("guard", "policy"), SETTINGS)
def test_a_setting_is_a_policy(guard: str, policy: GuardPolicy) -> None:
    assert Settings(guard=guard).guard_policy == policy
    assert not policy.does_nothing


def test_everything_passes_unless_something_is_set() -> None:
    assert Settings().guard_policy.does_nothing
    assert Settings().guard_policy.region == "US", "for tenants that want more"


def test_an_unknown_country_is_refused() -> None:
    with pytest.raises(ValueError, match="must be a country of two capital letters"):
        Settings(guard_region="XX")


@pytest.mark.parametrize(
    ("theirs", "together"),
    [
        (GuardPolicy(), SECRETS),
        (GuardPolicy(redact_personal=True), BOTH),
        (GuardPolicy(redact_personal=True, region="DE"), GuardPolicy(True, True, "DE")),
        (GuardPolicy(region="DE"), GuardPolicy(True, False, "DE")),
    ],
)
async def test_a_tenant_adds_to_what_is_done_for_all(theirs: GuardPolicy, together: GuardPolicy) -> None:
    policies = CallersPolicies(SECRETS)
    with called_by(Caller("acme", Role.WRITE, "k", guard_policy=theirs)):
        assert await policies.policy("acme") == together
        assert await policies.policy("other") == SECRETS


async def test_the_background_has_what_is_done_for_all() -> None:
    assert await CallersPolicies(SECRETS).policy("acme") == SECRETS


def test_a_policy_is_told_as_it_is_set() -> None:
    assert str(GuardPolicy(True, True, "DE")) == "block_secrets, redact_personal, region=DE"
    assert str(GuardPolicy()) == ""
