"""A backup on disk: a directory, or a tar of it, with a dump of PostgreSQL and a page that says what must be in it."""

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from quipu_server.errors import StartupError

FORMAT = 1
DUMP = "database.dump"
MANIFEST = "manifest.json"
TAR = ".tar"

Sums: TypeAlias = Mapping[str, tuple[int, str]]
"""Rows and checksum of each table, by name."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. sha256: of the dump. revisions: of each space, as `tenant/name`. roles: that have rights."""

    format: int
    quipu: str
    schema: int
    postgresql: str
    time: str
    dump_bytes: int
    sha256: str
    tables: Sums
    revisions: Mapping[str, int]
    roles: tuple[str, ...]

    @classmethod
    def read(cls, directory: Path) -> "Manifest":
        """That of a directory. Raises StartupError when it is none, or the dump is another one."""
        try:
            found: dict[str, Any] = json.loads((directory / MANIFEST).read_text("utf-8"))
            if found.get("format") != FORMAT:
                raise StartupError(f"the backup has format {found.get('format')}; this version reads {FORMAT}")
            tables = {name: (rows, checksum) for name, (rows, checksum) in found.pop("tables").items()}
            manifest = cls(**found | {"tables": tables, "roles": tuple(found["roles"])})
            size = (directory / DUMP).stat().st_size
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise StartupError(f"there is no whole backup: {error}") from error
        if size != manifest.dump_bytes or sha256_of(directory / DUMP) != manifest.sha256:
            raise StartupError(f"the backup is damaged: {DUMP} is not what {MANIFEST} says")
        return manifest

    def write(self, directory: Path) -> None:
        """Put it into a directory."""
        (directory / MANIFEST).write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n", "utf-8")


@contextmanager
def drafted(target: Path) -> Iterator[Path]:
    """A directory to fill; it becomes the target when all went well, and nothing is left of it else."""
    if target.exists():
        raise StartupError(f"{target} exists already; choose another name")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        yield draft
        if target.suffix == TAR:
            packed = draft / target.name
            with tarfile.open(packed, "w") as tar:
                for name in (MANIFEST, DUMP):
                    tar.add(draft / name, name)
            packed.chmod(0o600)
            os.replace(packed, target)
        else:
            os.replace(draft, target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def opened(source: Path) -> Iterator[Path]:
    """The directory of a backup; unpacked for the time when it is a tar."""
    if source.is_dir():
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="quipu-restore-") as directory:
        try:
            with tarfile.open(source) as tar:
                tar.extractall(directory, [tar.getmember(name) for name in (MANIFEST, DUMP)], filter="data")
        except (OSError, KeyError, tarfile.TarError) as error:
            raise StartupError(f"{source} is no backup: {error}") from error
        yield Path(directory)


def sha256_of(path: Path) -> str:
    """Of the content of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
