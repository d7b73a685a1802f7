"""Arrays that grow."""

from collections.abc import Sequence
from functools import reduce
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

ScalarT = TypeVar("ScalarT", bound=np.generic)

FIRST_CAPACITY = 16

FEW_VALUES = 16
"""Sooner compared one by one."""


def is_one_of(numbers: NDArray[Any], values: Sequence[float]) -> NDArray[np.bool_]:
    """Which numbers are one of the values: as `np.isin`, which takes a hundred times as long for one value."""
    if not 0 < len(values) <= FEW_VALUES:
        return np.isin(numbers, values)
    found: NDArray[np.bool_] = reduce(np.logical_or, [numbers == value for value in values])
    return found


def ranges(firsts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """So many numbers from each of the first ones on, one range after the other."""
    begins = np.cumsum(counts) - counts
    numbers: NDArray[np.int64] = np.repeat(firsts - begins, counts) + np.arange(counts.sum())
    return numbers


class Growing(Generic[ScalarT]):
    """An array that grows at its end. What `view` returned never changes: it is only written behind it."""

    def __init__(self, dtype: type[ScalarT], *width: int) -> None:
        self._buffer: NDArray[ScalarT] = np.empty((FIRST_CAPACITY, *width), dtype)
        self._length = 0

    @classmethod
    def over(cls, values: NDArray[ScalarT]) -> Self:
        """One that begins with these values, which nobody changes."""
        grown = cls(values.dtype.type, *values.shape[1:])
        grown._buffer, grown._length = values, len(values)
        return grown

    def __len__(self) -> int:
        return self._length

    @property
    def nbytes(self) -> int:
        return self._buffer.nbytes

    def view(self) -> NDArray[ScalarT]:
        """What is there now."""
        return self._buffer[: self._length]

    def extend(self, values: ArrayLike) -> None:
        """Add values, or rows, at the end."""
        added: NDArray[Any] = np.asarray(values, self._buffer.dtype)
        end = self._length + len(added)
        if end > len(self._buffer):
            self._reserve(end)
        self._buffer[self._length : end] = added
        self._length = end

    def _reserve(self, length: int) -> None:
        larger = np.empty((max(length, 2 * len(self._buffer)), *self._buffer.shape[1:]), self._buffer.dtype)
        larger[: self._length] = self._buffer[: self._length]
        self._buffer = larger
