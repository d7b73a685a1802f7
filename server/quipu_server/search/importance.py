"""How much memories matter, computed from stored facts when they are read."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Role
from quipu_server.weights import DAY_S

Floats = NDArray[np.float64]

FRESH_S = DAY_S
"""Freshness falls from 1 to 0 over so long a time, evenly. The figure, and those of the roles, are memorymesh's."""

OF_ROLE: Mapping[Role, float] = {Role.SYSTEM: 0.9, Role.USER: 0.7, Role.ASSISTANT: 0.5}
"""Roles that are not here say nothing of importance."""

NEUTRAL = 0.5
"""The importance of a memory of which nothing is known that counts."""

_BY_ROLE = np.array([OF_ROLE.get(role, 0.0) for role in Role])
_SPEAKS = np.array([role in OF_ROLE for role in Role])


def importance(
    explicit: Floats,
    given: NDArray[np.bool_],
    roles: NDArray[np.int8],
    ages_s: Floats,
    weights: tuple[Floats | float, ...],
) -> Floats:
    """The mean of freshness, role and what was given, by their weights in this order.

    What is not known of a memory is left out of its mean: a role that says nothing, an importance nobody gave.
    """
    recency, role, own = weights
    by_role, by_hand = role * _SPEAKS[roles], own * given
    total = recency + by_role + by_hand
    freshness = np.clip(1.0 - ages_s / FRESH_S, 0.0, 1.0)
    weighted = recency * freshness + by_role * _BY_ROLE[roles] + by_hand * explicit
    return np.where(total > 0.0, weighted / np.where(total > 0.0, total, 1.0), NEUTRAL)
