"""What may be stored: refuses secrets and redacts personal data before anything is made of a text."""

from quipu_server.guard.policies import EVERYTHING_PASSES, GuardPolicies, GuardPolicy, SamePolicy
from quipu_server.guard.screening import Guard, told

__all__ = ["EVERYTHING_PASSES", "Guard", "GuardPolicies", "GuardPolicy", "SamePolicy", "told"]
