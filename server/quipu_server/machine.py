"""What this process may use of its machine."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path("/")
CGROUPS = "sys/fs/cgroup"


def usable_bytes(root: Path = ROOT) -> int:
    """Memory that this process may use: that of the machine, or less when a cgroup (version 1 or 2) says so."""
    return min([os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), *_limits(root)])


def _limits(root: Path) -> Iterator[int]:
    """The limits of the cgroups of this process, and of those they are in."""
    try:
        memberships = (root / "proc/self/cgroup").read_text("utf-8").splitlines()
    except OSError:
        return
    for line in memberships:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            yield from _limits_along(root / CGROUPS, path, "memory.max")
        elif "memory" in controllers.split(","):
            yield from _limits_along(root / CGROUPS / "memory", path, "memory.limit_in_bytes")


def _limits_along(mount: Path, path: str, name: str) -> Iterator[int]:
    """The limits from a cgroup up to the root. In a container the upper part of the path is not there to be seen."""
    for group in (PurePosixPath(path), *PurePosixPath(path).parents):
        try:
            text = (mount / group.relative_to("/") / name).read_text("utf-8").strip()
        except (OSError, ValueError):
            continue
        if text.isdecimal():
            yield int(text)
