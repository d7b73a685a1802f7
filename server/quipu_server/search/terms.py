"""The terms of scores, by formula. Each formula is a sum, so that every term can be shown."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Role
from quipu_server.weights import DAY_S, Formula

Floats = NDArray[np.float64]

TERMS = (
    "dense",
    "lexical",
    "importance",
    "recency",
    "confidence",
    "neighbours",
    "session",
    "role",
    "use",
    "feedback",
)
"""Names of the terms in their order."""

LEAST_FACTOR, MOST_FACTOR = 0.5, 2.0
"""Bounds of what feedback, or use, multiplies a score by."""

CONFIDENCE = 0.65
CONFIDENCE_HALF_LIFE_S = 60 * DAY_S
"""Memoria's third tier of trust, the one of memories that nobody rated."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How well candidates match by meaning and by words, as a formula counts it."""

    dense: Floats
    lexical: Floats


def decay(ages_s: Floats, half_life_s: Floats | float) -> Floats:
    """1 for what is new, one half after each half-life: the only decay there is."""
    faded: Floats = 0.5 ** (ages_s / half_life_s)
    return faded


def likeness(formula: Formula, cosines: Floats, bm25: Floats, scaled: Likeness) -> Likeness:
    """As the formula counts it. cosines: 0 where there is none. scaled: over the candidates."""
    if formula is Formula.MEMORYMESH:
        return Likeness(cosines, scaled.lexical)
    if formula is Formula.MEMORIA:
        distances = np.sqrt(np.maximum(2.0 - 2.0 * cosines, 0.0))  # of vectors of unit length
        return Likeness(1.0 / (1.0 + distances), bm25 / (bm25 + 1.0))
    return scaled


def neighbour_scores(fused: Floats, around: NDArray[np.intp]) -> Floats:
    """The sum of the fused scores before and after; places below 0 stand for nobody."""
    padded = np.append(fused, 0.0)
    beside: Floats = padded[around[:, 0]] + padded[around[:, 1]]
    return beside


def session_shares(bm25: Sequence[Floats]) -> Sequence[Floats]:
    """The scores of sessions, as shares of the best of all."""
    best = max(scores.max(initial=0.0) for scores in bm25)
    return [scores / best for scores in bm25] if best > 0.0 else bm25


def by_users(messages: NDArray[np.bool_], roles: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Which are messages of a user."""
    found: NDArray[np.bool_] = messages & (roles == Role.USER)
    return found


def feedback_factors(balances: NDArray[np.int64], weight: Floats | float) -> Floats:
    """1 + weight · (useful - irrelevant - outdated - wrong), from 0.5 to 2."""
    factors: Floats = np.clip(1.0 + weight * balances, LEAST_FACTOR, MOST_FACTOR)
    return factors


def use_factors(counts: NDArray[np.int64], weight: Floats | float) -> Floats:
    """1 + weight · ln(1 + uses), at most 2."""
    factors: Floats = np.minimum(1.0 + weight * np.log1p(counts), MOST_FACTOR)
    return factors
