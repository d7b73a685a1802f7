"""The package of each client, as a program outside the repository gets it.

Each function installs one in an empty folder and returns the command that runs the program there.
"""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON, GO, TYPESCRIPT = (ROOT / "clients" / name for name in ("python", "go", "typescript"))
MODULE = "github.com/quipu-memory/quipu/clients/go"

GO_MOD = f"""\
module example.com/remember

go 1.23

require {MODULE} v0.0.0

replace {MODULE} => {GO}
"""


def say(command: Sequence[str | Path], folder: Path) -> str:
    """Run a command in a folder; return what it printed."""
    ended = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return ended.stdout


def python_wheel(folder: Path, program: Path) -> Sequence[str | Path]:
    # Built from a copy: setuptools also packs what an earlier build left behind.
    source, dist, python = folder / "source", folder / "dist", folder / "venv" / "bin" / "python"
    shutil.copytree(PYTHON, source, ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    say([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", dist, source], folder)
    shutil.rmtree(source)
    say([sys.executable, "-m", "venv", folder / "venv"], folder)
    say([python, "-m", "pip", "install", "--quiet", *dist.glob("*.whl")], folder)
    return [python, program]


def npm_tarball(folder: Path, program: Path) -> Sequence[str | Path]:
    say(["npm", "pack", "--silent", "--pack-destination", folder], TYPESCRIPT)
    say(["npm", "init", "--yes"], folder)
    say(["npm", "install", "--silent", *folder.glob("*.tgz")], folder)
    return ["node", program]


def go_module(folder: Path, program: Path) -> Sequence[str | Path]:
    (folder / "go.mod").write_text(GO_MOD, "utf-8")
    say(["go", "mod", "tidy"], folder)
    say(["go", "build", "-o", "remember", program], folder)
    return [folder / "remember"]
