"""Snapshots of indexes in a directory: one file a space."""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import faiss
import structlog

from quipu_server.domain import Space
from quipu_server.hot.contents import Contents
from quipu_server.hot.index import HotIndex
from quipu_server.hot.snapshot_contents import from_stored, let_go, stays_in_file, to_arrays, to_header
from quipu_server.hot.snapshot_file import Damaged, Stopped, read_arrays, read_header, write_arrays
from quipu_server.hot.tuning import DEFAULT_TUNING, Tuning

FORMAT = 2
SUFFIX = ".snapshot"
DRAFT_S = 3_600.0
"""A draft that is older was left behind by a process that ended."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Saved:
    """A file: where the space stood, the time of writing (seconds since 1970), and its size; 0 if there is none.

    graph_rows: rows that had a graph.
    """

    revision: int
    time_s: float
    nbytes: int
    graph_rows: int = 0


class SnapshotStore:
    """Keeps files of at most so many bytes; the oldest go first. Its methods block."""

    def __init__(self, directory: Path, limit_bytes: int) -> None:
        self._directory = directory
        self._limit_bytes = limit_bytes

    def save(self, space: Space, contents: Contents, is_stopped: Stopped) -> Saved:
        """Write the file of a space in place of the one before, unless it is too large. Raises OSError, Abandoned."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(space.id)
        header, arrays = {**_identity(space), **to_header(contents)}, to_arrays(contents)
        if sum(array.nbytes for array in arrays.values()) > self._limit_bytes:
            return Saved(contents.revision, time.time(), 0, contents.graph_rows)
        nbytes = write_arrays(path, header, arrays, is_stopped)
        let_go(contents)
        self._trim()
        return Saved(contents.revision, time.time(), nbytes, contents.graph_rows)

    def exists(self, space: Space) -> bool:
        """Whether there is a file of a space."""
        return self._path(space.id).exists()

    def load(self, space: Space, tuning: Tuning = DEFAULT_TUNING) -> tuple[HotIndex, Saved] | None:
        """The index of a file; None if there is none that can be used. A useless file is removed with a warning."""
        path = self._path(space.id)
        try:
            stored = read_arrays(path, stays_in_file)
            if wrong := [name for name, value in _identity(space).items() if stored.header.get(name) != value]:
                raise Damaged(f"it has another {', '.join(wrong)}")
            index = HotIndex.restore(from_stored(stored), tuning)
            status = path.stat()
        except FileNotFoundError:
            return None
        except (Damaged, OSError, KeyError, ValueError, TypeError, IndexError) as error:
            log.warning("discarded the snapshot of an index", path=str(path), error=str(error))
            self.remove(space.id)
            return None
        contents = index.contents
        return index, Saved(contents.revision, status.st_mtime, status.st_size, contents.graph_rows)

    def revisions(self) -> Mapping[UUID, int]:
        """Where each space stood that there is a file of; files that cannot be read are left out."""
        found = {}
        for path in self._directory.glob(f"*{SUFFIX}") if self._directory.exists() else ():
            with suppress(Damaged, OSError, KeyError, ValueError):
                found[UUID(path.name.removesuffix(SUFFIX))] = int(read_header(path)["revision"])
        return found

    def remove(self, space_id: UUID) -> None:
        """Remove the file of a space, if there is one."""
        with suppress(OSError):
            self._path(space_id).unlink(missing_ok=True)

    def _path(self, space_id: UUID) -> Path:
        return self._directory / f"{space_id}{SUFFIX}"

    def _trim(self) -> None:
        """Remove the oldest files until the others are within the limit, and drafts that nobody writes any more."""
        found = sorted(self._files(), reverse=True)
        total = 0
        for modified_s, size, path in found:
            total += size
            is_left_behind = path.suffix != SUFFIX and time.time() - modified_s > DRAFT_S
            if total > self._limit_bytes or is_left_behind:
                path.unlink(missing_ok=True)

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """Time of change, size and path of each file."""
        for path in self._directory.iterdir():
            if SUFFIX in path.name:
                with suppress(FileNotFoundError):
                    status = path.stat()
                    yield status.st_mtime, status.st_size, path


def _identity(space: Space) -> dict[str, str | int]:
    """What a file must say to be used for a space."""
    return {"format": FORMAT, "faiss": faiss.__version__, "model": space.fingerprint, "space": str(space.id)}
