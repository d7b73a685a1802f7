"""Codes of strings."""

import threading
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple, Self, overload

from quipu_server.hot.packed import NOTHING, PackedStrings

STRING_BYTES = 200
"""What a string of a few words costs with its places in dictionary and list, about."""

LOOSE_STRINGS = 16_384
"""So many are not worth packing: loose ones are found sooner."""

LOOSE_SHARE = 4
"""Of those that are packed, one in so many may be loose before all are packed anew."""

KNOWN_STRINGS = 65_536
"""Of those that are packed, so many are remembered that were looked up lately."""


class _State(NamedTuple):
    """Packed strings, then loose ones, with their codes. The loose ones grow."""

    packed: PackedStrings
    loose: list[str]
    codes: dict[str, int]


class Vocabulary:
    """Gives strings the codes 0, 1, 2 … in the order they come.

    One thread lets it grow, one packs; any may read meanwhile.
    """

    def __init__(self) -> None:
        self._state = _State(NOTHING, [], {})
        self._known: dict[str, int] = {}
        self._growing = threading.Lock()

    @classmethod
    def restore(cls, packed: PackedStrings) -> Self:
        """One with these strings, by code."""
        vocabulary = cls()
        if len(packed) > LOOSE_STRINGS:
            vocabulary._state = _State(packed, [], {})
        else:
            values = list(packed)
            vocabulary._state = _State(NOTHING, values, {value: code for code, value in enumerate(values)})
        return vocabulary

    def __len__(self) -> int:
        state = self._state
        return len(state.packed) + len(state.loose)

    @property
    def values(self) -> Sequence[str]:
        """The strings, by code."""
        state = self._state
        return _Values(state.packed, state.loose) if len(state.packed) else state.loose

    @property
    def nbytes(self) -> int:
        state = self._state
        return state.packed.nbytes + STRING_BYTES * (len(state.loose) + len(self._known))

    def encode(self, value: str) -> int:
        """The code of a string, new or known."""
        code = self.find(value)
        if code is None:
            with self._growing:
                state = self._state
                code = len(state.packed) + len(state.loose)
                # In this order, whoever finds the code finds the string.
                state.loose.append(value)
                state.codes[value] = code
        return code

    def find(self, value: str) -> int | None:
        """The code of a string; None if it has none."""
        state = self._state
        code = state.codes.get(value)
        return self._find_packed(state.packed, value) if code is None and len(state.packed) else code

    @property
    def is_loose(self) -> bool:
        """Whether packing is due."""
        state = self._state
        return len(state.loose) > max(LOOSE_STRINGS, len(state.packed) // LOOSE_SHARE)

    def pack(self) -> None:
        """Pack all strings that are there now."""
        before, count = self._state, len(self._state.loose)
        packed = before.packed.extended(before.loose[:count])
        with self._growing:
            loose = before.loose[count:]
            self._state = _State(packed, loose, {value: code for code, value in enumerate(loose, len(packed))})

    def packed(self) -> PackedStrings:
        """All strings that are there now."""
        state = self._state
        return state.packed.extended(state.loose[:]) if state.loose else state.packed

    def _find_packed(self, packed: PackedStrings, value: str) -> int | None:
        code = self._known.get(value)
        if code is None and (code := packed.find(value)) is not None:
            if len(self._known) >= KNOWN_STRINGS:
                self._known = {}
            self._known[value] = code
        return code


class _Values(Sequence[str]):
    """Packed strings and loose ones."""

    def __init__(self, packed: PackedStrings, loose: Sequence[str]) -> None:
        self._packed = packed
        self._loose = loose

    def __len__(self) -> int:
        return len(self._packed) + len(self._loose)

    @overload
    def __getitem__(self, code: int) -> str: ...
    @overload
    def __getitem__(self, code: slice) -> Sequence[str]: ...
    def __getitem__(self, code: int | slice) -> str | Sequence[str]:
        if isinstance(code, slice):
            return [self[number] for number in range(*code.indices(len(self)))]
        return self._packed[code] if code < len(self._packed) else self._loose[code - len(self._packed)]

    def __iter__(self) -> Iterator[str]:
        return chain(self._packed, self._loose)
