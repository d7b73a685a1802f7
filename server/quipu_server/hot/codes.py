"""The float16 codes of vectors, in memory or in a file."""

import mmap
import os
import tempfile
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.float16]
Rows = NDArray[np.int64]

CODE_BYTES = 2

ROWS_MAPPED = 1_024
"""So many rows may have been read before their pages are let go: the system maps up to 16 around each."""


class UnnamedFile:
    """A file that is gone when nobody holds it any more."""

    def __init__(self, directory: Path | None) -> None:
        with tempfile.TemporaryFile(dir=directory, prefix="quipu-") as file:
            self.descriptor = os.dup(file.fileno())

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)


class CodeFile:
    """Rows in a file without a name, which goes with its last user. What was read once is never written again.

    The pages belong to the cache of the system: they take memory only while nothing else needs it.
    """

    def __init__(self, file: UnnamedFile, row_count: int, dimension: int) -> None:
        self.shape = (row_count, dimension)
        self._file = file
        self._map = mmap.mmap(file.descriptor, row_count * dimension * CODE_BYTES, prot=mmap.PROT_READ)
        self._rows: Codes = np.frombuffer(self._map, np.float16).reshape(self.shape)
        self._read_count = 0

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Rows | slice) -> Codes:
        """A copy of some rows."""
        found: Codes = np.array(self._rows[rows])
        self._read_count += len(found)
        if self._read_count > ROWS_MAPPED:
            self._read_count = 0
            self._map.madvise(mmap.MADV_DONTNEED)
        return found

    def writer(self) -> "CodeWriter":
        """Writes behind the rows."""
        return CodeWriter(self._file, *self.shape)


class CodeWriter:
    """Writes rows one after the other. Whoever writes to a file does so alone. May raise OSError."""

    def __init__(self, file: UnnamedFile, row_count: int, dimension: int) -> None:
        self._file = file
        self._row_count = row_count
        self._dimension = dimension

    @classmethod
    def new(cls, directory: Path | None, dimension: int) -> Self:
        """To a new file."""
        return cls(UnnamedFile(directory), 0, dimension)

    def write(self, codes: Codes) -> None:
        """Write the next rows."""
        left = memoryview(np.ascontiguousarray(codes).data).cast("B")
        place = self._row_count * self._dimension * CODE_BYTES
        while left:
            count = os.pwrite(self._file.descriptor, left, place)
            left, place = left[count:], place + count
        self._row_count += len(codes)

    def finish(self) -> CodeFile:
        """The rows of the whole file."""
        return CodeFile(self._file, self._row_count, self._dimension)
