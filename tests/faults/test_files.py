"""Files that are damaged, missing, or in somebody else's hands; a disk without room."""

import asyncio
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from grpc import aio

from quipu.v1.memory_pb2 import Memory
from quipu_server.app import running
from quipu_server.config import Settings
from quipu_server.embedding import SHIPPED
from quipu_server.errors import StartupError
from quipu_server.store import EmbeddedPostgres
from tests.faults.conftest import Site
from tests.faults.ledger import Ledger
from tests.integration.api import Api
from tests.integration.test_failover import hot
from tests.integration.test_restarts import files

pytestmark = pytest.mark.asyncio(loop_scope="session")

MEMORIES = 300
LIMIT_BYTES = 128 << 10
"""Less than a snapshot of so many memories takes."""


def cut_short(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def put_a_directory_there(path: Path) -> None:
    path.unlink()
    (path / "in the way").mkdir(parents=True)


async def fill(ledger: Ledger) -> list[str]:
    """Store memories, have them in memory, and tell what a search finds."""
    ledger.sent = {f"m{i}": f"The lamp of ship {i} was lit on day {i * 7}" for i in range(MEMORIES)}
    await ledger.api.fill(ledger.space, {key: Memory(content=text) for key, text in ledger.sent.items()})
    ledger.acknowledged |= ledger.sent.keys()
    return (await hot(ledger.api, ledger.space)).ids


@pytest.mark.parametrize("damage", [cut_short, flip_a_bit, empty, put_a_directory_there])
async def test_a_damaged_snapshot(site: Site, space: str, home: Path, damage: Callable[[Path], None]) -> None:
    """A snapshot of an index is cut short, changed, emptied or unreadable: it is built anew, with the same answers."""
    async with site.serving(snapshot_dir=home) as api:
        before = await fill(Ledger(api, space))
    (snapshot,) = files(home)
    damage(snapshot)
    async with site.serving(snapshot_dir=home) as api:
        ledger = Ledger(api, space)
        assert (await hot(api, space)).ids == before
        await ledger.write()
        assert len(await ledger.stored()) == MEMORIES


@contextmanager
def no_room() -> Iterator[None]:
    """No file of this process can grow beyond a limit: writing fails as on a full disk, with another number."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_no_room_for_snapshots(site: Site, space: str, home: Path) -> None:
    """The disk has no room for snapshots (a limit on the length of files): there are none, and nothing else suffers."""
    with no_room():
        async with site.serving(snapshot_dir=home) as api:
            before = await fill(ledger := Ledger(api, space))
            await ledger.check()
    assert not files(home)
    async with site.serving(snapshot_dir=home) as api:
        assert (await hot(api, space)).ids == before
    assert files(home)


async def test_a_model_directory_missing(site: Site, space: str, home: Path) -> None:
    """The directory of a model is missing or damaged: no server starts, and it is named; put back, all is there."""
    shutil.copytree(SHIPPED, home / "mine")
    settings = {"model_dirs": [home / "mine"], "model": "mine", "hot_bytes": 0}
    async with site.serving(**settings) as api:
        await (ledger := Ledger(api, space)).write()
    (home / "mine").rename(home / "away")
    with pytest.raises(StartupError, match="mine"):
        async with site.serving(**settings):
            pass
    (home / "away").rename(home / "mine")
    weights = next((home / "mine").rglob("model.onnx"))
    whole = weights.read_bytes()
    cut_short(weights)
    with pytest.raises(StartupError, match="mine"):
        async with site.serving(**settings):
            pass
    weights.write_bytes(whole)
    async with site.serving(**settings) as api:
        ledger.api = api
        await ledger.check()


async def test_a_second_server_on_a_data_directory(home: Path, space: str) -> None:
    """A second server is started on a data directory: it ends with a message, and the first goes on."""
    settings = Settings(port=0, data_dir=home, hot_bytes=0, job_workers=0, embedding_workers=1)
    first = EmbeddedPostgres(home)
    url = await first.ensure_running()
    try:
        async with running(settings.model_copy(update={"database_url": url})) as server:
            await server.ready()
            async with aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
                ledger = Ledger(Api.over(channel), space)
                await ledger.write()
                with pytest.raises(StartupError, match="in use by process"):
                    async with running(settings) as second:
                        await asyncio.wait_for(second.ready(), 30)
                await ledger.write()
                await ledger.check()
    finally:
        await first.stop()
