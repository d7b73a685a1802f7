"""How much memory the process takes itself to have."""

import os
from pathlib import Path

import pytest

from quipu_server.config import Settings
from quipu_server.machine import usable_bytes
from quipu_server.store.embedded import buffer_bytes

ALL = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def machine(root: Path, membership: str, limits: dict[str, str]) -> Path:
    """The files that tell of cgroups."""
    for name, text in {"proc/self/cgroup": membership, **limits}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("membership", "limits", "expected"),
    [
        ("0::/\n", {}, ALL),
        ("0::/\n", {"sys/fs/cgroup/memory.max": "1000000\n"}, 1_000_000),
        ("0::/a/b\n", {"sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/memory.max": "5000\n"}, 5_000),
        ("0::/host/path\n", {"sys/fs/cgroup/memory.max": "7000\n"}, 7_000),
        ("4:cpu,memory:/a\n0::/\n", {"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "3000\n"}, 3_000),
        ("4:memory:/a\n", {"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, ALL),
        ("0::/../x\n", {"sys/fs/cgroup/memory.max": "nonsense\n"}, ALL),
    ],
)
def test_the_least_limit_counts(tmp_path: Path, membership: str, limits: dict[str, str], expected: int) -> None:
    assert usable_bytes(machine(tmp_path, membership, limits)) == expected


def test_without_cgroups_the_machine_counts(tmp_path: Path) -> None:
    assert usable_bytes(tmp_path) == ALL


def test_indexes_get_a_share_of_it_by_default() -> None:
    assert 0 < Settings().hot_bytes < usable_bytes() / 2


@pytest.mark.parametrize(
    ("usable", "expected"),
    [(256 << 20, 128 << 20), (16 << 30, 1 << 30), (1 << 40, 2 << 30)],
    ids=["least", "share", "most"],
)
def test_postgresql_keeps_a_share_of_the_memory_for_its_pages(usable: int, expected: int) -> None:
    assert buffer_bytes(usable) == expected
