"""What every SpaceStore does."""

import asyncio
from dataclasses import replace

import pytest

from quipu_server.domain import RequestKey
from quipu_server.errors import AlreadyExists, FailedPrecondition, NotFound, RequestIdReused
from quipu_server.store import Database
from quipu_server.weights import RankingWeights
from tests.contract.stores import Stores, a_creation, a_request, a_space


async def test_a_space_is_found_as_it_was_made(stores: Stores) -> None:
    draft = replace(a_space("notes"), language="de", display_name="Notes ✓", ranking=RankingWeights(dense=0.25))
    made = await stores.spaces.create_space(draft, None)
    assert made == replace(draft, create_time=made.create_time, update_time=made.update_time)
    assert made.create_time is not None
    assert await stores.spaces.find_space("default", "notes") == made


async def test_an_unknown_space_is_not_found(stores: Stores) -> None:
    space = await stores.new_space("notes")
    assert await stores.spaces.find_space("default", "other") is None
    assert await stores.spaces.find_space("other", "notes") is None
    assert await stores.log.heads([a_space().id]) == {}
    with pytest.raises(NotFound):
        await stores.spaces.space_status(a_space())
    assert (await stores.spaces.space_status(space)).revision == 0


async def test_a_name_is_taken_once_for_each_tenant(stores: Stores) -> None:
    await stores.spaces.create_space(a_space("notes", "one"), None)
    await stores.spaces.create_space(a_space("notes", "two"), None)
    with pytest.raises(AlreadyExists):
        await stores.spaces.create_space(a_space("notes", "one"), None)


async def test_many_at_once_ensure_one_space(stores: Stores) -> None:
    made = await asyncio.gather(*(stores.spaces.ensure_space(a_space("notes")) for _ in range(12)))
    assert len({space.id for space in made}) == 1


async def test_settings_change_only_from_the_version_that_was_seen(stores: Stores) -> None:
    space = await stores.new_space()
    changed = replace(space, display_name="New", ranking=RankingWeights(recency=0.0))
    made = await stores.spaces.update_space(changed, space.version, None)
    assert made is not None
    assert (made.display_name, made.ranking, made.version) == ("New", RankingWeights(recency=0.0), 2)
    assert await stores.spaces.update_space(changed, space.version, None) is None
    assert await stores.spaces.find_space(space.tenant, space.name) == made
    assert (await stores.log.heads([space.id]))[space.id].space_version == 2


async def test_a_refused_update_leaves_its_request_free(stores: Stores) -> None:
    space, request = await stores.new_space(), a_request()
    assert await stores.spaces.update_space(space, 7, request) is None
    made = await stores.spaces.update_space(space, 1, request)
    assert made is not None
    assert made.version == 2


async def test_requests_are_answered_once(stores: Stores) -> None:
    creation, update, deletion = a_request(b"c"), a_request(b"u"), a_request(b"d")
    draft = replace(a_space(), ranking=RankingWeights(dense=0.1))
    space = await stores.spaces.create_space(draft, creation)
    assert await stores.spaces.create_space(a_space(draft.name), creation) == space
    changed = replace(space, display_name="New")
    updated = await stores.spaces.update_space(changed, 1, update)
    assert await stores.spaces.update_space(changed, 1, update) == updated
    await stores.memories.append(space, [a_creation()], None)
    assert await stores.spaces.delete_space(space, force=True, request=deletion) == 1
    assert await stores.spaces.delete_space(space, force=True, request=deletion) == 1
    assert await stores.spaces.create_space(a_space(draft.name), creation) == space


async def test_a_request_id_serves_one_request(stores: Stores) -> None:
    request = a_request(b"first")
    space = await stores.spaces.create_space(a_space(), request)
    other = RequestKey(request.id, b"second")
    with pytest.raises(RequestIdReused):
        await stores.spaces.create_space(a_space(), other)
    with pytest.raises(RequestIdReused):
        await stores.spaces.update_space(space, 1, other)
    with pytest.raises(RequestIdReused):
        await stores.spaces.delete_space(space, force=True, request=other)


async def test_that_a_space_was_missing_stays_the_answer(stores: Stores) -> None:
    request = a_request(b"first")
    assert not await stores.spaces.was_missing("default", request)
    for _ in range(2):
        await stores.spaces.keep_missing("default", request)
    assert await stores.spaces.was_missing("default", request)
    assert not await stores.spaces.was_missing("other", request)
    other = RequestKey(request.id, b"second")
    for use in (stores.spaces.was_missing, stores.spaces.keep_missing):
        with pytest.raises(RequestIdReused):
            await use("default", other)


async def test_the_same_request_many_times_at_once_makes_one_space(stores: Stores) -> None:
    request = a_request()
    made = await asyncio.gather(*(stores.spaces.create_space(a_space("notes"), request) for _ in range(12)))
    assert len(set(made)) == 1


async def test_a_space_with_memories_is_deleted_by_force_only(stores: Stores) -> None:
    space = await stores.new_space()
    await stores.memories.append(space, [a_creation(), a_creation()], None)
    with pytest.raises(FailedPrecondition) as refused:
        await stores.spaces.delete_space(space, force=False, request=None)
    assert (refused.value.reason, refused.value.metadata["memory_count"]) == ("SPACE_NOT_EMPTY", "2")
    assert await stores.spaces.delete_space(space, force=True, request=None) == 2
    assert await stores.spaces.find_space(space.tenant, space.name) is None
    with pytest.raises(NotFound):
        await stores.spaces.delete_space(space, force=True, request=None)


async def test_a_new_space_has_nothing_of_the_one_before(stores: Stores) -> None:
    old = await stores.new_space("notes")
    await stores.memories.append(old, [a_creation("a")], None)
    await stores.spaces.delete_space(old, force=True, request=None)
    new = await stores.new_space("notes")
    assert new.id != old.id
    assert await stores.memories.latest(new, ["a"]) == {}
    assert await stores.revision(new) == 0


async def test_spaces_are_listed_by_name_page_by_page(stores: Stores) -> None:
    for name in ("b", "a", "Z", "a.1", "~"):
        await stores.new_space(name)
    await stores.spaces.create_space(a_space("c", "other"), None)
    pages = [await stores.spaces.list_spaces("default", after, 2) for after in ("", "a", "b", "~")]
    assert [[status.space.name for status in page] for page in pages] == [["Z", "a"], ["a.1", "b"], ["~"], []]


async def test_a_listing_counts_memories(stores: Stores) -> None:
    space = await stores.new_space()
    await stores.memories.append(space, [a_creation(), a_creation()], None)
    (status,) = await stores.spaces.list_spaces("default", "", 10)
    assert status == await stores.spaces.space_status(space)
    assert (status.revision, status.memory_count) == (2, 2)


async def test_deleting_leaves_no_row_anywhere(database: Database, postgres_stores: Stores) -> None:
    space = await postgres_stores.new_space()
    await postgres_stores.memories.append(space, [a_creation(chunks=3)], a_request())
    await postgres_stores.spaces.delete_space(space, force=True, request=None)
    async with database.unlocked() as connection:
        tables = await (
            await connection.execute(
                "SELECT table_name FROM information_schema.columns"
                " WHERE table_schema = 'quipu' AND column_name = 'space_id'"
            )
        ).fetchall()
        assert len(tables) >= 6
        for (table,) in tables:
            rows = await (await connection.execute(f"SELECT count(*) FROM {table}")).fetchone()
            assert rows == (0,), table
