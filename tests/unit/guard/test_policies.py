"""What the settings say of the guard."""

import pytest

from quipu_server.config import Settings
from quipu_server.guard import EVERYTHING_PASSES, GuardPolicy


@pytest.mark.parametrize(
    ("guard", "policy"),
    [
        ("block_secrets", GuardPolicy(block_secrets=True, region="US")),
        ("redact_personal", GuardPolicy(redact_personal=True, region="US")),
        ("both", GuardPolicy(block_secrets=True, redact_personal=True, region="US")),
    ],
)
def test_a_setting_is_a_policy(guard: str, policy: GuardPolicy) -> None:
    assert Settings(guard=guard).guard_policy == policy


def test_everything_passes_unless_something_is_set() -> None:
    assert Settings().guard_policy == Settings(guard_region="").guard_policy == EVERYTHING_PASSES


def test_an_unknown_country_is_refused() -> None:
    with pytest.raises(ValueError, match="must be a country of two capital letters"):
        Settings(guard_region="XX")
