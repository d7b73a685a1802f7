"""Locks on files, which end with the processes that hold them, however they end."""

import fcntl
import os
from pathlib import Path


class FileLock:
    """A lock on a file, which names the process it is held for.

    Children that inherit the descriptor hold the lock as well, until the last of them ends.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock, or keep it; False when others hold it."""
        if self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    @property
    def descriptor(self) -> int:
        """For children to inherit. Only while the lock is held."""
        assert self._descriptor is not None
        return self._descriptor

    def name_holder(self, pid: int) -> None:
        """Write into the file which process the lock is held for. Only while it is held."""
        os.truncate(self.descriptor, 0)
        os.pwrite(self.descriptor, f"{pid}".encode(), 0)

    @property
    def holder(self) -> str:
        """Id of the process the lock is, or was last, held for."""
        return self._path.read_text()

    def release(self) -> None:
        """Let go. The file stays: who removes it could remove the lock of the next."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
