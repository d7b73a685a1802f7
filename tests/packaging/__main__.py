"""`make try-packages`: installs the package of each client in an empty folder outside the repository, and lets a small
program there store and search. Prints the programs and what they print; fails if that is not what it should be."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from quipu import Server
from tests.packaging.packages import TYPESCRIPT, go_module, npm_tarball, python_wheel

PROGRAMS = Path(__file__).parent / "programs"
RUN_S = 60.0
ABOUT_PYTHON = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
"""Variables by which a program would find more than its package."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A package, the program that uses it, and what that prints."""

    package: str
    program: str
    install: Callable[[Path, Path], Sequence[str | Path]]
    expected: str

    def run(self, folder: Path, address: str) -> str:
        """Install in an empty folder, run, and return what was printed."""
        folder.mkdir()
        program = Path(shutil.copy(PROGRAMS / self.program, folder))
        command = self.install(folder, program)
        pipe, both = subprocess.PIPE, subprocess.STDOUT
        command = [*command, address]
        ended = subprocess.run(command, cwd=folder, stdout=pipe, stderr=both, text=True, check=False, timeout=RUN_S)
        return ended.stdout


def trials() -> Iterator[Trial]:
    found = "Ann is allergic to peanuts."
    yield Trial("wheel", "remember.py", python_wheel, f"['{found}'] True\n")
    yield Trial("Go module, by replace", "remember.go", go_module, f"{found} <nil>\ntrue\n")
    if (TYPESCRIPT / "package.json").exists():
        yield Trial("npm tarball", "remember.mjs", npm_tarball, f"{found}\ntrue\n")


def main() -> int:
    for name in ABOUT_PYTHON:
        os.environ.pop(name, None)
    failed = list[str]()
    with TemporaryDirectory(prefix="quipu-packages-") as home, Server.ensure_running(Path(home, "server")) as server:
        for trial in trials():
            folder = Path(home, trial.program.replace(".", "-"))
            print(f"=== {trial.package}, in {folder}\n\n{(PROGRAMS / trial.program).read_text('utf-8')}", flush=True)
            printed = trial.run(folder, server.address)
            print(f"--- prints\n{printed}", flush=True)
            if printed != trial.expected:
                failed.append(f"{trial.program} should print\n{trial.expected}")
    for failure in failed:
        print(failure, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
