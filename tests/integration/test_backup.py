"""A backup of a server at work, restored somewhere else, is what was there when it began."""

import asyncio
import json
import os
import tarfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from grpc import aio
from psycopg.conninfo import make_conninfo

from quipu.v1.memory_pb2 import Memory
from quipu.v1.memory_service_pb2 import DeleteMemoryRequest
from quipu.v1.space_service_pb2 import GetSpaceRequest
from quipu_server.app import running
from quipu_server.cli import run
from quipu_server.config import Settings
from quipu_server.errors import StartupError
from quipu_server.store.archive import DUMP, MANIFEST, Manifest
from quipu_server.store.backup import back_up, restore
from quipu_server.store.programs import find_program
from tests.integration.api import Api
from tests.integration.test_past import as_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

SPACES = ("spaces/ann", "spaces/bo")
WORDS = ("river", "stone", "lamp", "ledger", "orchard", "harbour", "violin", "winter", "bread", "comet")
SEARCHES = 100


@asynccontextmanager
async def serving(data_dir: Path) -> AsyncIterator[Api]:
    async with running(Settings(port=0, data_dir=data_dir)) as started:
        await started.ready()
        async with aio.insecure_channel(f"127.0.0.1:{started.port}") as channel:
            yield Api.over(channel)


def memory(number: int) -> Memory:
    words = (WORDS[number % 10], WORDS[number // 10 % 10], WORDS[number * 7 % 10])
    return Memory(content=f"The {' and the '.join(words)} of day {number}", tags=[words[0]])


async def revision(api: Api, space: str) -> int:
    return (await api.spaces.GetSpace(GetSpaceRequest(name=space))).space.revision


async def write(api: Api, written: asyncio.Event) -> None:
    """Create, change and delete memories until cancelled."""
    number = 1_000
    while True:
        for space in SPACES:
            await api.create(space, memory(number).content, f"m{number}")
            await api.memories.DeleteMemory(DeleteMemoryRequest(name=f"{space}/memories/m{number % 200}"))
        number += 1
        if number > 1_015:
            written.set()


async def searches(api: Api, revisions: dict[str, int] | None) -> Sequence[Sequence[tuple[str, float]]]:
    """What 100 searches find, in the past if revisions are given."""
    found = []
    for number in range(SEARCHES):
        space, text = SPACES[number % 2], f"{WORDS[number % 10]} {WORDS[number // 10]}"
        past = {"consistency": as_of(space, revisions[space])} if revisions else {}
        hits = (await api.search(space, text=text, k=10, **past)).hits
        found.append([(hit.memory.name, hit.score) for hit in hits])
    return found


@pytest.mark.parametrize("name", ["backup", "backup.tar"])
async def test_a_backup_under_writes_is_restored_as_of_its_revision(tmp_path: Path, name: str) -> None:
    data_dir, target, new = tmp_path / "data", tmp_path / name, tmp_path / "new"
    async with serving(data_dir) as api:
        for space in SPACES:
            await api.fill(space, {f"m{i}": memory(i) for i in range(200)})
        written = asyncio.Event()
        writing = asyncio.create_task(write(api, written))
        await written.wait()
        assert await asyncio.to_thread(run, ["backup", str(target), "--data-dir", str(data_dir)]) == 0
        assert not writing.done()
        await asyncio.sleep(0.2)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        manifest = read(target)
        revisions = {f"spaces/{key.partition('/')[2]}": revision for key, revision in manifest.revisions.items()}
        assert set(revisions) == set(SPACES)
        for space in SPACES:
            assert 215 < revisions[space] < await revision(api, space)
        expected = await searches(api, revisions)
    assert await asyncio.to_thread(run, ["restore", str(target), "--data-dir", str(new)]) == 0
    async with serving(new) as api:
        assert {space: await revision(api, space) for space in SPACES} == revisions
        found = await searches(api, None)
        assert [[name for name, _ in hits] for hits in found] == [[name for name, _ in hits] for hits in expected]
        # Everything is some seconds older now, which the part of recency shows.
        assert [[score for _, score in hits] for hits in found] == [
            pytest.approx([score for _, score in hits], abs=1e-4) for hits in expected
        ]
        await api.create(SPACES[0], "written after the restore")
        assert await revision(api, SPACES[0]) == revisions[SPACES[0]] + 1
    assert len([hits for hits in expected if hits]) == SEARCHES


def read(target: Path) -> Manifest:
    """The manifest of a backup."""
    if target.is_dir():
        return Manifest.read(target)
    with tarfile.open(target) as tar:
        tar.extractall(target.with_suffix(".out"), filter="data")
    return Manifest.read(target.with_suffix(".out"))


@pytest.fixture
async def databases(database_url: str) -> AsyncIterator[tuple[str, str]]:
    """Two databases of their own: one with a few memories, and an empty one."""
    names = [f"backup_{uuid4().hex}" for _ in range(2)]
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        for name in names:
            await connection.execute(f'CREATE DATABASE "{name}"')
        full, empty = (make_conninfo(database_url, dbname=name) for name in names)
        async with running(Settings(port=0, database_url=full)) as started:
            await started.ready()
            async with aio.insecure_channel(f"127.0.0.1:{started.port}") as channel:
                await Api.over(channel).fill("spaces/ann", {f"m{i}": memory(i) for i in range(20)})
        yield full, empty
        for name in names:
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


async def test_an_external_database_with_a_role_that_has_rights(databases: tuple[str, str], tmp_path: Path) -> None:
    full, empty = databases
    role = f"quipu_test_{uuid4().hex}"
    async with await psycopg.AsyncConnection.connect(full, autocommit=True) as connection:
        await connection.execute(f"CREATE ROLE {role} NOLOGIN")
        await connection.execute(f"GRANT USAGE ON SCHEMA quipu TO {role}")
        await connection.execute(f"GRANT SELECT ON quipu.spaces TO {role}")
        made = await back_up(full, tmp_path / "backup")
        assert made.roles == (role,)
        await connection.execute(f"DROP OWNED BY {role}")
        await connection.execute(f"DROP ROLE {role}")
        assert await restore(empty, tmp_path / "backup") == made
        async with await psycopg.AsyncConnection.connect(empty, autocommit=True) as restored:
            await restored.execute(f"SET ROLE {role}")
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="has entered no tenant"):
                await restored.execute("SELECT * FROM quipu.spaces")
            await restored.execute("BEGIN; SELECT quipu.enter('default', NULL)")
            assert (await restored.execute("SELECT * FROM quipu.spaces")).rowcount == 1
            await restored.execute("COMMIT")
            await restored.execute("RESET ROLE")
            await restored.execute(f"DROP OWNED BY {role}")
        await connection.execute(f"DROP ROLE {role}")
    with pytest.raises(StartupError, match="has memories already"):
        await restore(empty, tmp_path / "backup")


@pytest.mark.parametrize("part", [DUMP, MANIFEST])
async def test_a_damaged_backup_is_refused(databases: tuple[str, str], tmp_path: Path, part: str) -> None:
    full, empty = databases
    await back_up(full, tmp_path / "backup")
    path = tmp_path / "backup" / part
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(StartupError, match=r"damaged|no whole backup|is not what was backed up|other revisions"):
        await restore(empty, tmp_path / "backup")
    async with await psycopg.AsyncConnection.connect(empty) as connection:
        assert await (await connection.execute("SELECT to_regnamespace('quipu')")).fetchone() == (None,)


async def test_what_differs_after_a_restore_is_named_and_nothing_is_left(
    databases: tuple[str, str], tmp_path: Path
) -> None:
    full, empty = databases
    await back_up(full, tmp_path / "backup")
    path = tmp_path / "backup" / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["tables"]["quipu.passages"][0] += 1
    path.write_text(json.dumps(manifest))
    with pytest.raises(StartupError, match=r"is not what was backed up: quipu\.passages"):
        await restore(empty, tmp_path / "backup")
    async with await psycopg.AsyncConnection.connect(empty) as connection:
        assert await (await connection.execute("SELECT to_regnamespace('quipu')")).fetchone() == (None,)


async def test_nothing_is_written_over(databases: tuple[str, str], tmp_path: Path) -> None:
    full, empty = databases
    (tmp_path / "there").mkdir()
    with pytest.raises(StartupError, match="exists already"):
        await back_up(full, tmp_path / "there")
    with pytest.raises(StartupError, match="no server has used it"):
        await back_up(empty, tmp_path / "other")
    assert os.listdir(tmp_path) == ["there"]


async def test_programs_that_are_too_old_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 15.4'\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert await find_program("pg_dump", 15) == old
    assert "pginstall" in str(await find_program("pg_dump", 17))
    with pytest.raises(StartupError, match=rf"pg_dump of PostgreSQL 99 .* {old} is of PostgreSQL 15; .* PostgreSQL 18"):
        await find_program("pg_dump", 99)


async def test_a_place_without_a_database_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(run, ["backup", str(tmp_path / "b"), "--data-dir", str(tmp_path / "none")]) == 1
    assert "there is no database in" in capsys.readouterr().err
