"""Which slots contain which terms, and how often."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

UNKNOWN_TERM = -1
"""Code of a term that no memory contains."""

TOLD_APART = 4
"""Frequencies 1, 2, 3 are told apart; those from 4 on are taken together."""


class Profile(NamedTuple):
    """What bounds the score of a term, whatever the statistics of the space.

    shortest: words of the shortest memory that contains the term once, twice, three times, and more often; inf if
    there is none. Shape (4,), or (terms, 4). most: the highest frequency, one or of each term.
    """

    shortest: NDArray[np.float32]
    most: NDArray[Any]

    @classmethod
    def of(cls, frequencies: NDArray[Any], lengths: NDArray[np.float64], starts: NDArray[np.int64]) -> Self:
        """Of some terms, the occurrences of each from its start on; lengths of the memories they are in."""
        if not len(starts):
            return cls(np.empty((0, TOLD_APART), np.float32), np.empty(0, frequencies.dtype))
        # Lengths are whole numbers, which float32 holds up to 16 million.
        words, kinds = lengths.astype(np.float32), np.minimum(frequencies, TOLD_APART)
        shortest = [
            np.minimum.reduceat(np.where(kinds == kind, words, np.float32(np.inf)), starts)
            for kind in range(1, TOLD_APART + 1)
        ]
        return cls(np.stack(shortest, axis=1), np.maximum.reduceat(frequencies, starts))


class Occurrences(NamedTuple):
    """Where one term occurs: slots, ascending, and how often in each. profile: None where there are few."""

    slots: NDArray[np.int32]
    frequencies: NDArray[Any]
    profile: Profile | None = None


@dataclass(frozen=True, slots=True)
class Postings:
    """Occurrences of many terms, one after the other: those of `terms[i]` lie from `starts[i]` to `starts[i + 1]`.

    terms: codes, ascending. frequencies: of the narrowest unsigned type that holds them. shortest, most: the profiles.
    """

    terms: NDArray[np.int32]
    starts: NDArray[np.int64]
    slots: NDArray[np.int32]
    frequencies: NDArray[Any]
    shortest: NDArray[np.float32]
    most: NDArray[Any]

    @classmethod
    def build(
        cls,
        terms: NDArray[np.int32],
        slots: NDArray[np.int32],
        frequencies: NDArray[Any],
        lengths: NDArray[np.float64],
    ) -> Self:
        """From the term, slot and frequency of every occurrence; the slots of a term come in ascending order.

        lengths: words by slot.
        """
        order, ordered, starts = _ordered(terms)
        narrow = np.min_scalar_type(int(frequencies.max(initial=0)))
        slots, frequencies = slots[order], frequencies[order].astype(narrow)
        profile = Profile.of(frequencies, lengths[slots], starts)
        return cls(ordered[starts], np.append(starts, len(terms)), slots, frequencies, *profile)

    @classmethod
    def join(cls, parts: Sequence["Postings"]) -> Self:
        """From several, each of higher slots than the one before."""
        order, ordered, starts = _ordered(
            np.concatenate([np.repeat(part.terms, np.diff(part.starts)) for part in parts])
        )
        profile = _join_profiles(parts)
        return cls(
            ordered[starts],
            np.append(starts, len(ordered)),
            np.concatenate([part.slots for part in parts])[order],
            np.concatenate([part.frequencies for part in parts])[order],
            *profile,
        )

    @property
    def nbytes(self) -> int:
        numbers = (self.terms, self.starts, self.slots, self.frequencies, self.shortest, self.most)
        return sum(array.nbytes for array in numbers)

    def find(self, terms: NDArray[np.int32]) -> Sequence[Occurrences]:
        """The occurrences of each term."""
        places = np.searchsorted(self.terms, terms)
        ends = np.searchsorted(self.terms, terms, side="right")
        bounds = zip(places.tolist(), self.starts[places].tolist(), self.starts[ends].tolist(), strict=True)
        return [
            Occurrences(
                self.slots[start:end],
                self.frequencies[start:end],
                Profile(self.shortest[place], self.most[place]) if end > start else None,
            )
            for place, start, end in bounds
        ]


def _ordered(terms: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """The order of occurrences by term, their terms in that order, and where each term begins."""
    order = np.argsort(terms, kind="stable")
    ordered = terms[order]
    return order, ordered, np.flatnonzero(np.diff(ordered, prepend=UNKNOWN_TERM))


def _join_profiles(parts: Sequence[Postings]) -> Profile:
    """The profiles of the terms of all parts, by term."""
    order, _, starts = _ordered(np.concatenate([part.terms for part in parts]))
    shortest = np.concatenate([part.shortest for part in parts])[order]
    most = np.concatenate([part.most for part in parts])[order]
    if not len(starts):
        return Profile(shortest, most)
    return Profile(np.minimum.reduceat(shortest, starts), np.maximum.reduceat(most, starts))
