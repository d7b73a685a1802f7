"""What may be stored: refuses secrets and redacts personal data before anything is made of a text."""

from quipu_server.guard.policies import CallersPolicies, GuardPolicies
from quipu_server.guard.screening import Guard, told

__all__ = ["CallersPolicies", "Guard", "GuardPolicies", "told"]
