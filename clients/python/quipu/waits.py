"""Waiting before a call that goes on by itself begins anew."""

import random

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0
"""gRPC makes several attempts after each wait."""


def renewal_wait_s(failures: int) -> float:
    """Twice as long each time, and never the same for all who wait."""
    return float(min(FIRST_WAIT_S * 2 ** min(failures, 9), LONGEST_WAIT_S)) * random.uniform(0.5, 1)
