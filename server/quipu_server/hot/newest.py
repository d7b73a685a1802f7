"""Where the current version of each memory is."""

from array import array
from typing import Self

import numpy as np
from numpy.typing import NDArray

NOWHERE = -1


class Newest:
    """Slots by the code of the id of the memory."""

    def __init__(self) -> None:
        self._slots = array("i")
        self._count = 0

    @classmethod
    def restore(cls, codes: NDArray[np.int32], slots: NDArray[np.int64]) -> Self:
        """With these slots for these codes."""
        newest = cls()
        table = np.full(int(codes.max(initial=-1)) + 1, NOWHERE, np.int32)
        table[codes] = slots
        newest._slots.frombytes(table.tobytes())
        newest._count = len(codes)
        return newest

    def __len__(self) -> int:
        """Memories that have one."""
        return self._count

    @property
    def nbytes(self) -> int:
        return self._slots.itemsize * len(self._slots)

    def take(self, code: int) -> int | None:
        """The slot of a memory, which has none any more; None if it had none."""
        slot = self._slots[code] if code < len(self._slots) else NOWHERE
        if slot == NOWHERE:
            return None
        self._slots[code] = NOWHERE
        self._count -= 1
        return slot

    def put(self, code: int, slot: int) -> None:
        """Give a slot to a memory that has none."""
        if code >= len(self._slots):
            self._slots.extend([NOWHERE] * (code + 1 - len(self._slots)))
        self._slots[code] = slot
        self._count += 1
