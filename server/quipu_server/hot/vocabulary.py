"""Codes of strings."""

from collections.abc import Sequence
from typing import Self

STRING_BYTES = 200
"""What a string of a few words costs with its places in dictionary and list, about."""


class Vocabulary:
    """Gives strings the codes 0, 1, 2 … in the order they come. One thread lets it grow; any may read meanwhile."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._values: list[str] = []

    @classmethod
    def restore(cls, values: Sequence[str]) -> Self:
        """One with these strings, all different, by code."""
        vocabulary = cls()
        vocabulary._values = list(values)
        vocabulary._codes = {value: code for code, value in enumerate(values)}
        return vocabulary

    @property
    def values(self) -> Sequence[str]:
        """The strings, by code."""
        return self._values

    @property
    def nbytes(self) -> int:
        return STRING_BYTES * len(self._values)

    def encode(self, value: str) -> int:
        """The code of a string, new or known."""
        code = self._codes.get(value)
        if code is None:
            code = len(self._values)
            # In this order, whoever finds the code finds the string.
            self._values.append(value)
            self._codes[value] = code
        return code

    def find(self, value: str) -> int | None:
        """The code of a string; None if it has none."""
        return self._codes.get(value)
