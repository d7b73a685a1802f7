"""Workers are killed in the middle of changing a model, of going back, and of dropping vectors."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from quipu_server.domain import Change, EmbeddedText, MemoryFields, ModelInfo, Passage, Space, Vectors, Write
from quipu_server.embedding import SHIPPED, read_directory
from quipu_server.ports.jobs import NewJob
from quipu_server.store import PostgresMemoryStore, PostgresSpaceStore
from quipu_server.store.models import PostgresModelStore
from tests.faults.test_killed_workers import TENANT, Site, kill_in_the_middle, site
from tests.small_model import make_small_model

__all__ = ["site"]

COUNT = 200
CUT_OVER = "SELECT FROM heads WHERE space_id = (SELECT space_id FROM spaces WHERE name = 'space') FOR UPDATE"
THE_MIDDLE = "SELECT FROM passages WHERE content LIKE '%%ship 100 %%' FOR UPDATE"
VECTORS_OF = "SELECT count(*) FROM vectors WHERE space_id = %s AND fingerprint = %s"


@pytest.fixture
async def small(site: Site, tmp_path: Path) -> ModelInfo:
    """The other model, which the workers have; and an embedded space of its own instead of the one that waits."""
    directory = make_small_model(tmp_path)
    site.options = ("--model-dir", str(directory))
    spaces = PostgresSpaceStore(site.database)
    await spaces.delete_space(site.space, force=True, request=None)
    site.space = await spaces.create_space(replace(site.space, id=uuid4()), None)
    dimension = read_directory(SHIPPED).info.dimension
    writes = [creation(number, dimension) for number in range(COUNT)]
    await PostgresMemoryStore(site.database).append(site.space, writes, None)
    return read_directory(directory).info


def creation(number: int, dimension: int) -> Write:
    text = f"The lamp of ship {number} was lit"
    passage = Passage(uuid4(), text, ("lamp",), (1,), 1, unit(dimension), np.array([[0, len(text)]], np.int32))
    return Write(f"m{number}", Change.CREATED, MemoryFields(text), passage.id, 0, passage)


def unit(dimension: int) -> Vectors:
    return np.full((1, dimension), dimension**-0.5, np.float32)


async def run(site: Site, kind: str, **arguments: str) -> None:
    payload = {"space": "space", **arguments}
    await site.jobs.enqueue(NewJob(TENANT, kind, "space", payload, key="space", group="model"))


async def space_of(site: Site) -> Space:
    found = await PostgresSpaceStore(site.database).find_space(TENANT, "space")
    assert found is not None
    return found


async def counts(site: Site, models: Sequence[str]) -> list[int]:
    """Vectors by each fingerprint."""
    return [await site.value(VECTORS_OF, site.space.id, fingerprint) for fingerprint in models]


@pytest.mark.parametrize(
    ("obstacle", "waits"),
    [(THE_MIDDLE, "FOR KEY SHARE"), (CUT_OVER, "SELECT FROM heads")],
    ids=["filling", "cutting-over"],
)
async def test_changing(site: Site, small: ModelInfo, obstacle: str, waits: str) -> None:
    await run(site, "change-model", model=f"models/{small.name}")
    job = await kill_in_the_middle(site, "change-model", obstacle, waits)
    assert job.result == {"model": f"models/{small.name}", "embedded": COUNT}
    changed = await space_of(site)
    assert (changed.model, changed.previous_model) == (small.name, site.space.model)
    assert changed.version == site.space.version + 1
    assert await counts(site, [site.space.fingerprint, small.fingerprint]) == [COUNT, COUNT]
    assert await site.value("SELECT count(*) FROM memory_revisions") == COUNT


async def changed_by_hand(site: Site, small: ModelInfo) -> Space:
    """The space with its new model; one memory has no vector of the old one."""
    store = PostgresModelStore(site.database)
    target = replace(site.space, model=small.name, fingerprint=small.fingerprint)
    missing = await store.next_missing(target, 0, COUNT)
    one = EmbeddedText(unit(small.dimension), np.array([[0, 4]], np.int32), 1)
    await store.add_vectors(target, missing, [one] * COUNT)
    changed = await store.cut_over(site.space, target, small.dimension, COUNT, 0)
    assert changed is not None
    await PostgresMemoryStore(site.database).append(changed, [creation(COUNT, small.dimension)], None)
    return changed


async def test_going_back(site: Site, small: ModelInfo) -> None:
    changed = await changed_by_hand(site, small)
    await run(site, "revert-model")
    # What follows the cut-over: a second attempt must not take the way back from where the first one got to.
    job = await kill_in_the_middle(
        site, "revert-model", "LOCK TABLE passages IN SHARE MODE", "UPDATE passages SET token_count"
    )
    assert job.result == {"model": f"models/{site.space.model}", "embedded": 1}
    reverted = await space_of(site)
    assert (reverted.model, reverted.previous_model) == (site.space.model, small.name)
    assert reverted.version == changed.version + 1
    assert await counts(site, [site.space.fingerprint, small.fingerprint]) == [COUNT + 1, COUNT + 1]


async def test_dropping(site: Site, small: ModelInfo) -> None:
    changed = await changed_by_hand(site, small)
    await run(site, "drop-old-vectors")
    obstacle = f"SELECT FROM vectors WHERE fingerprint = '{site.space.fingerprint}' LIMIT 1 FOR UPDATE"
    await kill_in_the_middle(site, "drop-old-vectors", obstacle, "DELETE FROM vectors")
    assert await counts(site, [site.space.fingerprint, small.fingerprint]) == [0, COUNT + 1]
    after = await space_of(site)
    assert (after.previous_model, after.version) == ("", changed.version + 1)
