"""A day in the life: the script of the documentation does what it says, and leaves nothing of what it erases."""

import asyncio
import importlib
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import psycopg
import pytest

import quipu
from quipu_server.store import EmbeddedPostgres
from quipu_server.store.erasing import vacuum
from quipu_server.store.programs import bundled_programs, run
from tests.postgres import connected

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "examples" / "day_in_the_life.py"
COPIED = ("memory_revisions", "passages", "vectors", "sessions")
"""Tables that the documentation says to copy, to have the bytes of what was erased gone from the data files."""


@pytest.fixture
def day(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    return importlib.import_module(SCRIPT.stem)


@asynccontextmanager
async def database_of(home: Path) -> AsyncIterator[str]:
    """The database of a data directory whose server has stopped."""
    postgres = EmbeddedPostgres(home)
    url = await postgres.ensure_running()
    try:
        yield url
    finally:
        await postgres.stop()


def kept_in(home: Path) -> bytes:
    """All that a server keeps in files of its own."""
    return b"".join(path.read_bytes() for path in files_in(home) if "postgres" not in path.relative_to(home).parts)


def files_in(folder: Path) -> Iterable[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def found_in(content: bytes, texts: Sequence[str]) -> Sequence[str]:
    lowered = content.lower()
    return [text for text in texts if text.lower().encode() in lowered]


async def dump(url: str) -> bytes:
    """All rows of all tables, and what the planner knows of them."""
    dumped = await run(bundled_programs() / "pg_dump", "--inserts", url)
    async with await psycopg.AsyncConnection.connect(url) as connection:
        statistics = await (await connection.execute("SELECT s::text FROM pg_stats s")).fetchall()
    return "\n".join([dumped, *(row[0] for row in statistics)]).encode()


async def execute(url: str, *statements: str) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for statement in statements:
            await connection.execute(statement)


async def test_nothing_is_left_of_what_the_day_erases(day: ModuleType, tmp_path: Path) -> None:
    home = tmp_path / "data"
    secrets = [*day.said_by_guest(day.talks()), "Quillfeather", "quillfeath"]
    *before, tidy_up, forget = day.STEPS

    def live(*steps: object) -> None:
        with quipu.Server.ensure_running(home) as server:
            day.live(server.address, steps)

    await asyncio.to_thread(live, *before)
    assert found_in(kept_in(home), ["Quillfeather"]), "a snapshot has it"
    async with database_of(home) as url:
        await execute(url, "ANALYZE")  # as the database does by itself
        assert found_in(await dump(url), secrets) == secrets
    await asyncio.to_thread(live, tidy_up, forget)
    assert not found_in(kept_in(home), secrets)
    async with database_of(home) as url:
        async with connected(url) as database:  # the job that follows an erasure, if the server stopped before it
            await vacuum(database)
        assert not found_in(await dump(url), secrets)
        await execute(
            url, *(f"VACUUM FULL quipu.{table}" for table in COPIED), "VACUUM FULL pg_statistic", "CHECKPOINT"
        )
    stored = {path.name: found_in(path.read_bytes(), secrets) for path in files_in(home / "postgres" / "base")}
    assert not {name: found for name, found in stored.items() if found}


async def test_the_script_runs_by_itself() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, SCRIPT, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert process.returncode == 0
    lines = printed.decode().splitlines()
    assert lines[0].startswith("talked: 40 sessions, 2000 messages")
    assert lines[-2] == "retention: archived 500 and deleted 300 memories, as the dry run said"
    assert lines[-1] == "erased: 25 memories of Zebulon Quillfeather, 25 vectors; nothing is found"
