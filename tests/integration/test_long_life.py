"""A life of some spaces at random: whatever happens to indexes, every search finds what the oracle finds.

QUIPU_STEPS says how long it lasts, QUIPU_SEED which one it is; a failure prints both.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from uuid import uuid4

import pytest

from quipu_server.domain import Change, Memory, Space, Write
from quipu_server.hot import HotCatalogue, Snapshots, SnapshotStore, index, loading, snapshots
from quipu_server.store import (
    Database,
    ExternalPostgres,
    PostgresLog,
    PostgresMemoryStore,
    PostgresSpaceStore,
    StoreView,
)
from tests.integration.population import Population
from tests.integration.test_failover import restore
from tests.integration.test_paths_agree import Scene, Writer, answer, ask, assert_right

pytestmark = pytest.mark.asyncio(loop_scope="session")

STEPS = int(os.environ.get("QUIPU_STEPS", "500"))
SEED = int(os.environ.get("QUIPU_SEED", "0")) or Random().randrange(1, 1_000_000)
SPACES, MOST_MEMORIES, BUDGET_BYTES = 4, 150, 500_000


@dataclass(slots=True)
class Place:
    """One space, what should be in it, and how it was at an earlier revision."""

    space: Space
    writer: Writer
    earlier: tuple[int, Writer] | None = None

    @property
    def revision(self) -> int:
        return max((memory.revision for memory in self.writer.newest.values()), default=0)


class Life:
    """Does one thing after the other to the spaces."""

    def __init__(self, database: Database, url: str, directory: Path, random: Random) -> None:
        self.happened: Counter[str] = Counter()
        self._database, self._url, self._directory, self._random = database, url, directory, random
        self._log, self._store = PostgresLog(database), PostgresMemoryStore(database)
        self._population = Population(random.randrange(1 << 30))
        self._created = 0
        self._places: list[Place] = []
        self._catalogue = self._new_catalogue()
        self._deeds: Sequence[tuple[int, Callable[[Place], Awaitable[None]]]] = [
            (40, self._search),
            (20, self._create),
            (15, self._change),
            (5, self._undelete),
            (5, self._expire),
            (3, self._remember),
            (2, self._fail_over),
            (4, self._restart),
            (3, self._spoil),
            (3, self._pause),
        ]

    async def begin(self) -> None:
        for _ in range(SPACES):
            draft = Space(uuid4(), "default", f"life-{uuid4().hex}", "model", "fingerprint")
            space = await PostgresSpaceStore(self._database).ensure_space(draft)
            self._places.append(Place(space, Writer(self._store, space)))

    async def step(self) -> None:
        weights = [weight for weight, _ in self._deeds]
        _, deed = self._random.choices(self._deeds, weights)[0]
        self.happened[deed.__name__] += 1
        await deed(self._random.choice(self._places))

    async def end(self) -> None:
        await self._catalogue.close(within_s=1.0)

    def _new_catalogue(self) -> HotCatalogue:
        kept = Snapshots(SnapshotStore(self._directory, 300_000))
        return HotCatalogue(self._log, partial(StoreView, self._database), BUDGET_BYTES, kept)

    async def _search(self, place: Place) -> None:
        head = (await self._log.heads([place.space.id]))[place.space.id]
        view = await self._catalogue.view(place.space, head)
        self.happened[view.path] += 1
        assert view.revision >= head.revision == place.revision
        if place.writer.oracle.selected(None, head.now):
            question = ask(self._population, self._random)
            scene = Scene(place.writer.oracle, (), view, view, head.now)
            assert_right(scene, question, await answer(view, question, head.now))

    async def _write(self, place: Place, writes: Sequence[Write]) -> None:
        await place.writer.write(writes)
        if self._random.random() < 0.7:
            self._catalogue.written(place.space, place.revision)

    async def _create(self, place: Place) -> None:
        if len(place.writer.newest) < MOST_MEMORIES:
            count = self._random.choice([1, 1, 2, 30])
            self._created += count
            await self._write(place, [self._population.create(self._created - i) for i in range(count)])

    async def _change(self, place: Place) -> None:
        if chosen := self._some(place, deleted=False):
            passages = place.writer.passages
            await self._write(place, [self._population.change(m, passages[m.memory_id]) for m in chosen])

    async def _undelete(self, place: Place) -> None:
        if chosen := self._some(place, deleted=True):
            passages = place.writer.passages
            await self._write(place, [self._population.undelete(m, passages[m.memory_id]) for m in chosen])

    async def _expire(self, place: Place) -> None:
        """Let memories end in a moment, which comes while others things happen."""
        now = (await self._log.heads([place.space.id]))[place.space.id].now
        soon = now + timedelta(milliseconds=self._random.choice([-1, 5, 50]))
        for memory in self._some(place, deleted=False):
            fields = replace(memory.fields, expire_time=soon)
            write = Write(memory.memory_id, Change.UPDATED, fields, memory.passage_id, memory.revision)
            await self._write(place, [write])

    async def _remember(self, place: Place) -> None:
        writer = copy(place.writer)
        writer.oracle, writer.newest, writer.passages = copy(writer.oracle), {**writer.newest}, {**writer.passages}
        writer.oracle._entries = {**writer.oracle._entries}
        place.earlier = (place.revision, writer)

    async def _fail_over(self, place: Place) -> None:
        """Let the database be what it was."""
        if place.earlier is not None:
            (revision, writer), place.earlier = place.earlier, None
            count = sum(not memory.is_deleted for memory in writer.newest.values())
            await restore(self._url, place.space.name, revision, count)
            place.writer = writer

    async def _restart(self, _: Place) -> None:
        await self._catalogue.close(within_s=self._random.choice([0.0, 5.0]))
        self._catalogue = self._new_catalogue()

    async def _spoil(self, _: Place) -> None:
        """Damage files: cut them, change a byte, give them to another space, delete them."""
        for path in list(self._directory.glob("[!.]*")):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            place = self._random.randrange(len(data) or 1)
            other = self._directory / f"{self._random.choice(self._places).space.id}.snapshot"
            match self._random.choice(["keep", "cut", "change", "give", "delete"]):
                case "cut":
                    path.write_bytes(data[:place])
                case "change":
                    path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
                case "give":
                    other.write_bytes(data)
                case "delete":
                    path.unlink(missing_ok=True)

    async def _pause(self, _: Place) -> None:
        await asyncio.sleep(0.01)

    def _some(self, place: Place, *, deleted: bool) -> Sequence[Memory]:
        found = [memory for memory in place.writer.newest.values() if memory.is_deleted is deleted]
        return self._random.sample(found, min(len(found), self._random.choice([1, 2, 10])))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let little spaces do what large ones do."""
    monkeypatch.setattr(index, "FREEZE_ROWS", 16)
    monkeypatch.setattr(index, "SPARE_DEAD", 60)
    monkeypatch.setattr(loading, "SMALL_REVISION", 40)
    monkeypatch.setattr(loading, "PAGE_ROWS", 24)
    monkeypatch.setattr(snapshots, "SAVE_AFTER", 25)
    monkeypatch.setattr(snapshots, "SAVE_AT_END", 1)


@pytest.mark.timeout(3_600)
async def test_every_search_finds_what_is_there(database_url: str, tmp_path: Path, quick: None) -> None:
    print(f"QUIPU_SEED={SEED} QUIPU_STEPS={STEPS}")  # noqa: T201
    database = Database(ExternalPostgres(database_url))
    await database.open()
    await database.wait_ready()
    life = Life(database, database_url, tmp_path / "index", Random(SEED))
    await life.begin()
    for _ in range(STEPS):
        await life.step()
    await life.end()
    await database.close()
    print(life.happened)  # noqa: T201
    assert life.happened["hot"] > STEPS / 20
    assert life.happened["store"] > STEPS / 50
