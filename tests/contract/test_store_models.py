"""What a change of the embedding model promises, on PostgreSQL."""

from dataclasses import replace

import numpy as np
import pytest

from quipu_server.domain import Change, EmbeddedText, Passage, Space, Write
from quipu_server.errors import Conflict, ModelChanged
from quipu_server.ports.models import Missing
from quipu_server.store import Database
from quipu_server.store.models import PostgresModelStore
from quipu_server.store.unembedded import PostgresUnembeddedStore
from tests.contract.stores import Stores, a_creation, a_passage

OTHER_DIMENSION = 4


class Site:
    """A space, and the same space as it will be."""

    def __init__(self, database: Database, stores: Stores, space: Space) -> None:
        self.database = database
        self.stores = stores
        self.space = space
        self.target = replace(space, model="other", fingerprint="other-fingerprint")
        self.models = PostgresModelStore(database)
        self.unembedded = PostgresUnembeddedStore(database)

    async def write(self, *writes: Write, space: Space | None = None) -> int:
        made = await self.stores.memories.append(space or self.space, writes, None)
        return made[-1].revision

    async def fill(self) -> int:
        """Give all what is missing; how many there were."""
        missing = await self.models.next_missing(self.target, 0, 100)
        await self.models.add_vectors(self.target, missing, [a_vector()] * len(missing))
        return len(missing)

    async def cut_over(self, seen: int = 0, may_wait: int = 0) -> Space | None:
        return await self.models.cut_over(self.space, self.target, OTHER_DIMENSION, seen, may_wait)


def a_vector() -> EmbeddedText:
    vectors = np.full((1, OTHER_DIMENSION), 0.5, np.float32)
    return EmbeddedText(vectors, np.array([[0, 4]], np.int32), 1)


def waiting(write: Write) -> Write:
    """The same without vectors."""
    assert write.passage is not None
    empty = replace(write.passage, vectors=write.passage.vectors[:0], spans=write.passage.spans[:0])
    return replace(write, passage=empty)


@pytest.fixture
async def site(database: Database, postgres_stores: Stores) -> Site:
    return Site(database, postgres_stores, await postgres_stores.new_space())


async def test_every_text_of_the_history_is_missing_once(site: Site) -> None:
    creation = a_creation("a", "first")
    await site.write(creation)
    passage = a_passage("second")
    await site.write(Write("a", Change.UPDATED, replace(creation.fields, content="second"), passage.id, 1, passage))
    await site.write(Write("a", Change.DELETED, creation.fields, passage.id, 2))
    await site.write(waiting(a_creation("b", "third")))
    found = await site.models.next_missing(site.target, 0, 10)
    assert [(one.revision, one.text.text) for one in found] == [(1, "first"), (2, "second")]
    assert [one.revision for one in await site.models.next_missing(site.target, 1, 10)] == [2]
    assert await site.models.count_vectors(site.target) == (0, 3)
    assert await site.fill() == 2
    assert await site.models.next_missing(site.target, 0, 10) == []
    assert await site.models.count_vectors(site.target) == (2, 3)


async def test_vectors_are_stored_once_and_only_for_texts_that_are_there(site: Site) -> None:
    await site.write(a_creation("a"), a_creation("b"))
    missing = await site.models.next_missing(site.target, 0, 1)
    await site.models.add_vectors(site.target, missing, [a_vector()])
    with pytest.raises(Conflict):
        await site.models.add_vectors(site.target, missing, [a_vector()])
    gone = [Missing(1, a_passage("gone").id, missing[0].text)]
    with pytest.raises(Conflict):
        await site.models.add_vectors(site.target, gone, [a_vector()])
    assert await site.models.count_vectors(site.target) == (1, 2)


async def test_nothing_is_cut_over_while_something_is_missing(site: Site) -> None:
    seen = await site.write(a_creation("a"))
    await site.fill()
    await site.write(a_creation("b"))
    assert await site.cut_over(seen) is None
    assert await site.stores.spaces.find_space(site.space.tenant, site.space.name) == site.space
    await site.fill()
    changed = await site.cut_over(seen)
    assert changed is not None
    assert (changed.model, changed.fingerprint, changed.previous_model) == ("other", "other-fingerprint", "model")
    assert changed.version == site.space.version + 1
    head = (await site.stores.log.heads([site.space.id]))[site.space.id]
    assert (head.space_version, head.revision) == (changed.version, 2)
    assert await site.stores.spaces.find_space(site.space.tenant, site.space.name) == changed


async def test_settings_that_changed_meanwhile_are_kept(site: Site) -> None:
    renamed = await site.stores.spaces.update_space(replace(site.space, display_name="new"), site.space.version, None)
    assert await site.cut_over() is None
    assert renamed is not None
    site.space = renamed
    changed = await site.cut_over()
    assert changed is not None
    assert changed.display_name == "new"


async def test_some_may_be_embedded_after_the_cut_over(site: Site) -> None:
    await site.write(a_creation("a"), a_creation("b"), waiting(a_creation("c")))
    assert await site.cut_over(may_wait=1) is None
    changed = await site.cut_over(may_wait=2)
    assert changed is not None
    found = await site.unembedded.next_unembedded(changed, 10)
    assert sorted(one.memory_id for one in found) == ["a", "b", "c"]
    rows = (await site.stores.log.tail(changed, 0, 3, 3)).rows
    assert [row.codes.shape for row in rows] == [(0, OTHER_DIMENSION)] * 3
    assert await site.unembedded.store_vectors(changed, found, [a_vector()] * 3) == 6


async def test_who_began_under_the_old_model_leaves_no_vectors(site: Site) -> None:
    await site.write(waiting(a_creation("a")))
    found = await site.unembedded.next_unembedded(site.space, 1)
    changed = await site.cut_over(1)
    assert changed is not None
    old = [EmbeddedText(np.full((1, 8), 0.35, np.float32), np.array([[0, 4]], np.int32), 1)]
    with pytest.raises(ModelChanged):
        await site.unembedded.store_vectors(site.space, found, old)
    with pytest.raises(ModelChanged):
        await site.write(a_creation("b"))
    with pytest.raises(ModelChanged):
        await site.write(waiting(a_creation("b")))
    assert await site.models.head(changed) == 1
    assert await site.unembedded.count_unembedded(changed) == 1
    await site.write(a_creation("b", "another"), space=changed)
    memory = (await site.stores.memories.latest(site.space, ["b"]))["b"]
    # What brings no text has nothing to do with models.
    await site.write(Write("b", Change.DELETED, memory.fields, memory.passage_id, memory.revision))


async def test_tokens_counted_by_the_old_model_are_forgotten(site: Site) -> None:
    creation = a_creation("a")
    await site.write(replace(creation, passage=replace(_passage(creation), token_count=5)))
    await site.fill()
    changed = await site.cut_over()
    assert changed is not None
    await site.models.forget_token_counts(changed)
    await site.stores.sessions.keep_counts(site.space, {creation.passage_id: 7})
    assert await _token_count(site) is None
    await site.stores.sessions.keep_counts(changed, {creation.passage_id: 9})
    assert await _token_count(site) == 9


async def test_vectors_of_other_models_are_dropped_bit_by_bit(site: Site) -> None:
    await site.write(*(a_creation(f"m{i}") for i in range(3)))
    await site.fill()
    other = await site.stores.new_space()
    await site.stores.memories.append(other, [a_creation("a")], None)
    changed = await site.cut_over()
    assert changed is not None
    await site.models.forget_previous(changed)
    assert [await site.models.drop_other_vectors(changed, 2) for _ in range(3)] == [2, 1, 0]
    assert await site.models.count_vectors(site.space) == (0, 3)
    assert await site.models.count_vectors(changed) == (3, 3)
    assert await site.models.count_vectors(other) == (1, 1)
    found = await site.stores.spaces.find_space(changed.tenant, changed.name)
    assert found is not None
    assert (found.previous_model, found.version) == ("", changed.version + 1)


def _passage(write: Write) -> Passage:
    assert write.passage is not None
    return write.passage


async def _token_count(site: Site) -> int | None:
    async with site.database.unlocked() as connection:
        row = await (await connection.execute("SELECT token_count FROM passages")).fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]
