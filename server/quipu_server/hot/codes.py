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
    """Rows in a file, which are never changed. file: to write behind them, if that is allowed.

    The pages belong to the cache of the system: they take memory only while nothing else needs it.
    """

    def __init__(self, memory: mmap.mmap, rows: Codes, file: UnnamedFile | None = None) -> None:
        self.shape: tuple[int, ...] = rows.shape
        self._map = memory
        self._rows = rows
        self._file = file
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

    @property
    def mapped(self) -> Codes:
        """All rows as they lie in the file."""
        return self._rows

    def writer(self) -> "CodeWriter | None":
        """Writes behind the rows; None if nobody may."""
        return None if self._file is None else CodeWriter(self._file, len(self), self.shape[1])


class CodeWriter:
    """Writes rows one after the other. Whoever writes to a file does so alone. May raise OSError."""

    def __init__(self, file: UnnamedFile, row_count: int, dimension: int) -> None:
        self._file = file
        self._row_count = row_count
        self._dimension = dimension

    @classmethod
    def new(cls, directory: Path | None, dimension: int) -> Self:
        """To a new file without a name, which goes with its last user."""
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
        shape = (self._row_count, self._dimension)
        memory = mmap.mmap(self._file.descriptor, self._row_count * self._dimension * CODE_BYTES, prot=mmap.PROT_READ)
        return CodeFile(memory, np.frombuffer(memory, np.float16).reshape(shape), self._file)
