"""Which slots contain which terms, and how often."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

UNKNOWN_TERM = -1
"""Code of a term that no memory contains."""


class Occurrences(NamedTuple):
    """Where one term occurs: slots, ascending, and how often in each."""

    slots: NDArray[np.int32]
    frequencies: NDArray[Any]


@dataclass(frozen=True, slots=True)
class Postings:
    """Occurrences of many terms, one after the other: those of `terms[i]` lie from `starts[i]` to `starts[i + 1]`.

    terms: codes, ascending. frequencies: of the narrowest unsigned type that holds them.
    """

    terms: NDArray[np.int32]
    starts: NDArray[np.int64]
    slots: NDArray[np.int32]
    frequencies: NDArray[Any]

    @classmethod
    def build(cls, terms: NDArray[np.int32], slots: NDArray[np.int32], frequencies: NDArray[Any]) -> Self:
        """From the term, slot and frequency of every occurrence; the slots of a term come in ascending order."""
        order = np.argsort(terms, kind="stable")
        ordered = terms[order]
        starts = np.flatnonzero(np.diff(ordered, prepend=UNKNOWN_TERM))
        narrow = np.min_scalar_type(int(frequencies.max(initial=0)))
        return cls(ordered[starts], np.append(starts, len(terms)), slots[order], frequencies[order].astype(narrow))

    @classmethod
    def join(cls, parts: Sequence["Postings"]) -> Self:
        """From several, each of higher slots than the one before."""
        return cls.build(
            np.concatenate([np.repeat(part.terms, np.diff(part.starts)) for part in parts]),
            np.concatenate([part.slots for part in parts]),
            np.concatenate([part.frequencies for part in parts]),
        )

    @property
    def nbytes(self) -> int:
        return self.terms.nbytes + self.starts.nbytes + self.slots.nbytes + self.frequencies.nbytes

    def find(self, terms: NDArray[np.int32]) -> Sequence[Occurrences]:
        """The occurrences of each term."""
        places = np.searchsorted(self.terms, terms)
        ends = np.searchsorted(self.terms, terms, side="right")
        bounds = zip(self.starts[places].tolist(), self.starts[ends].tolist(), strict=True)
        return [Occurrences(self.slots[start:end], self.frequencies[start:end]) for start, end in bounds]
