"""A server that starts where the one before it stopped."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from grpc import aio

from quipu.v1.memory_pb2 import Memory
from quipu_server.app import running
from quipu_server.config import Settings
from tests.integration.api import Api
from tests.integration.test_failover import hot
from tests.integration.test_indexes import describe

pytestmark = pytest.mark.asyncio(loop_scope="session")

MEMORIES = 300


@asynccontextmanager
async def one_run(database_url: str, directory: Path) -> AsyncIterator[Api]:
    settings = Settings(port=0, database_url=database_url, snapshot_dir=directory)
    async with running(settings) as started:
        await started.ready()
        async with aio.insecure_channel(f"127.0.0.1:{started.port}") as channel:
            yield Api.over(channel)


def files(directory: Path) -> list[Path]:
    return list(directory.iterdir())


async def test_a_restart_goes_on_from_the_snapshot(database_url: str, space: str, tmp_path: Path) -> None:
    async with one_run(database_url, tmp_path) as api:
        await api.fill(space, {f"m{i}": Memory(content=f"what happened on day {i}") for i in range(MEMORIES)})
        await hot(api, space)
        assert not (await describe(api, space)).HasField("snapshot")
    (written,) = files(tmp_path)
    async with one_run(database_url, tmp_path) as api:
        await api.create(space, "what happened at last")
        after = await hot(api, space)
        shown = await describe(api, space)
        assert (shown.snapshot.revision, shown.snapshot.bytes) == (MEMORIES, written.stat().st_size)
        assert shown.revision == MEMORIES + 1
    for path in files(tmp_path):
        path.unlink()
    async with one_run(database_url, tmp_path) as api:
        again = await hot(api, space)
    assert again.ids == after.ids


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Path("/data/index")),
        ({"snapshot_bytes": 0}, None),
        ({"snapshot_dir": Path("/elsewhere")}, Path("/elsewhere")),
        ({"database_url": "postgresql://host/database"}, Path("/data/index")),
    ],
)
async def test_where_snapshots_are_kept(given: dict[str, object], expected: Path | None) -> None:
    assert Settings.model_validate({"data_dir": Path("/data")} | given).index_dir == expected


async def test_with_a_database_elsewhere_there_are_none_unless_told() -> None:
    assert Settings(database_url="postgresql://host/database").index_dir is None
