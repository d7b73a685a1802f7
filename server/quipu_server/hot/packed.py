"""Many strings in a few arrays: a million of them are no objects of Python."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate, pairwise
from typing import Self

import numpy as np
from numpy.typing import NDArray

HASH_BYTES = 8


@dataclass(frozen=True, slots=True, eq=False)
class PackedStrings:
    """Strings 0, 1, 2 … as one text; each ends where the next begins.

    text: UTF-8. starts: one more than strings. hashes: of each, ascending; numbers: whose hash it is.
    """

    text: NDArray[np.uint8]
    starts: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    numbers: NDArray[np.int32]

    @classmethod
    def build(cls, values: Sequence[str]) -> Self:
        """Of these strings, all different."""
        encoded = [value.encode() for value in values]
        hashes = np.frombuffer(b"".join(map(_digest, encoded)), np.uint64)
        return cls._ordered(
            np.frombuffer(b"".join(encoded), np.uint8),
            np.fromiter(accumulate(map(len, encoded), initial=0), np.int64, len(encoded) + 1),
            hashes,
            np.arange(len(encoded), dtype=np.int32),
        )

    def extended(self, values: Sequence[str]) -> "PackedStrings":
        """These strings, and others behind them."""
        others = PackedStrings.build(values)
        return PackedStrings._ordered(
            np.concatenate([self.text, others.text]),
            np.concatenate([self.starts, others.starts[1:] + self.starts[-1]]),
            np.concatenate([self.hashes, others.hashes]),
            np.concatenate([self.numbers, others.numbers + np.int32(len(self))]),
        )

    @classmethod
    def _ordered(
        cls,
        text: NDArray[np.uint8],
        starts: NDArray[np.int64],
        hashes: NDArray[np.uint64],
        numbers: NDArray[np.int32],
    ) -> Self:
        order = np.argsort(hashes, kind="stable")
        return cls(text, starts, hashes[order], numbers[order])

    def check(self) -> None:
        """Raise ValueError when the arrays do not fit each other."""
        str(self.text.data, "utf-8")
        ends = (int(self.starts[0]), int(self.starts[-1]))
        if ends != (0, len(self.text)) or (np.diff(self.starts) < 0).any():
            raise ValueError("strings do not follow each other")
        count = len(self)
        if (len(self.hashes), len(self.numbers)) != (count, count):
            raise ValueError(f"there are {len(self.hashes)} hashes of {count} strings")
        if count and not (self.numbers.min() >= 0 and self.numbers.max() < count):
            raise ValueError("a hash is of no string")

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> str:
        return bytes(self.text[self.starts[number] : self.starts[number + 1]]).decode()

    def __iter__(self) -> Iterator[str]:
        text = self.text.tobytes()
        return (text[start:end].decode() for start, end in pairwise(self.starts.tolist()))

    @property
    def nbytes(self) -> int:
        return self.text.nbytes + self.starts.nbytes + self.hashes.nbytes + self.numbers.nbytes

    def find(self, value: str) -> int | None:
        """The number of a string; None if it is not there."""
        if not len(self):
            return None
        wanted = np.frombuffer(_digest(value.encode()), np.uint64)[0]
        place = int(self.hashes.searchsorted(wanted))
        while place < len(self.hashes) and self.hashes[place] == wanted:
            if self[number := int(self.numbers[place])] == value:
                return number
            place += 1
        return None


def _digest(value: bytes) -> bytes:
    return blake2b(value, digest_size=HASH_BYTES).digest()


NOTHING = PackedStrings.build([])
