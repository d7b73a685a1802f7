"""What every MemoryStore does when it writes, and when it reads by name."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from quipu_server.domain import Change, Kind, MemoryFields, RequestKey, Role, Space
from quipu_server.errors import Conflict, NotFound, RequestIdReused
from quipu_server.store import Database
from quipu_server.store.requests import trim_requests
from tests.contract.stores import Stores, a_change, a_creation, a_request, a_space

NOW = datetime.now(UTC)
EVERYTHING: dict[str, Any] = {
    "kind": Kind.TOOL_RESULT,
    "role": Role.TOOL,
    "speaker": "Ann O'Hara; DROP TABLE memories",
    "session": "s-1",
    "tags": ("b", "a", 'with "quotes", {braces} and \\', "NULL", "✓"),
    "metadata": {
        "text": "%s {} \\ ' \" \u2028 😀",
        "whole": 3.0,
        "large": 1e300,
        "tiny": 5e-324,
        "negative": -0.1,
        "yes": True,
        "when": datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        "mixed": ("a", 1.5, False, datetime(2030, 1, 1, tzinfo=UTC)),
        "none of these": (),
        "": "a key may be anything",
    },
    "importance": 0.1,
    "importance_given": True,
    "feedback": (4, 0, 32_768, 1),
    "event_time": datetime(1, 1, 1, tzinfo=UTC),
    "expire_time": datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
}


@pytest.fixture
async def space(stores: Stores) -> Space:
    return await stores.new_space()


async def test_a_memory_is_read_as_it_was_written(stores: Stores, space: Space) -> None:
    write = a_creation("m", "Grüße \t\n {} %s 😀", **EVERYTHING)
    (made,) = await stores.memories.append(space, [write], None)
    assert made.fields == write.fields
    assert (made.memory_id, made.revision, made.change) == ("m", 1, Change.CREATED)
    assert made.create_time == made.update_time
    assert await stores.memories.latest(space, ["m", "other"]) == {"m": made}
    assert await stores.memories.hydrate(space, np.array([1]), NOW) == {1: made}


async def test_a_batch_takes_consecutive_revisions(stores: Stores, space: Space) -> None:
    made = await stores.memories.append(space, [a_creation(f"m{i}") for i in range(7)], None)
    assert [memory.revision for memory in made] == [1, 2, 3, 4, 5, 6, 7]
    assert await stores.revision(space) == 7
    assert (await stores.spaces.space_status(space)).memory_count == 7


async def test_versions_of_a_memory_follow_each_other(stores: Stores, space: Space) -> None:
    (created,) = await stores.memories.append(space, [a_creation("m")], None)
    (updated,) = await stores.memories.append(space, [a_change(created, Change.UPDATED, speaker="Ann")], None)
    (deleted,) = await stores.memories.append(space, [a_change(updated, Change.DELETED)], None)
    (restored,) = await stores.memories.append(space, [a_change(deleted, Change.UNDELETED)], None)
    assert {memory.create_time for memory in (created, updated, deleted, restored)} == {created.create_time}
    assert {memory.created for memory in (created, updated, deleted, restored)} == {created.revision}
    assert created.update_time < updated.update_time < deleted.update_time < restored.update_time
    assert deleted.fields == updated.fields == restored.fields
    assert await stores.memories.history(space, "m", 2**62, 10) == [restored, deleted, updated, created]
    assert await stores.memories.history(space, "m", 4, 2) == [deleted, updated]
    assert await stores.memories.history(space, "other", 2**62, 10) == []
    assert await stores.memories.latest(space, ["m"]) == {"m": restored}


async def test_a_memory_that_takes_the_id_of_a_deleted_one_is_created_anew(stores: Stores, space: Space) -> None:
    (first,) = await stores.memories.append(space, [a_creation("m")], None)
    await stores.memories.append(space, [a_change(first, Change.DELETED)], None)
    (second,) = await stores.memories.append(space, [a_creation("m")], None)
    (updated,) = await stores.memories.append(space, [a_change(second, Change.UPDATED, speaker="Ann")], None)
    assert [memory.created for memory in (first, second, updated)] == [1, 3, 3]


async def test_what_is_deleted_counts_no_more(stores: Stores, space: Space) -> None:
    first, second = await stores.memories.append(space, [a_creation("a"), a_creation("b")], None)
    (deleted,) = await stores.memories.append(space, [a_change(first, Change.DELETED)], None)
    assert (await stores.spaces.space_status(space)).memory_count == 1
    await stores.memories.append(space, [a_change(second, Change.UPDATED)], None)
    assert (await stores.spaces.space_status(space)).memory_count == 1
    await stores.memories.append(space, [a_change(deleted, Change.UNDELETED)], None)
    assert (await stores.spaces.space_status(space)).memory_count == 2


async def test_the_id_of_a_deleted_memory_can_be_used_again(stores: Stores, space: Space) -> None:
    (old,) = await stores.memories.append(space, [a_creation("m", "old")], None)
    await stores.memories.append(space, [a_change(old, Change.DELETED)], None)
    (new,) = await stores.memories.append(space, [a_creation("m", "new")], None)
    assert new.create_time > old.create_time
    assert [memory.fields.content for memory in await stores.memories.history(space, "m", 99, 9)] == [
        "new",
        "old",
        "old",
    ]


@pytest.mark.parametrize("expected", [0, 1, 3, 99])
async def test_a_write_from_another_version_is_refused(stores: Stores, space: Space, expected: int) -> None:
    (first,) = await stores.memories.append(space, [a_creation("m")], None)
    (second,) = await stores.memories.append(space, [a_change(first, Change.UPDATED)], None)
    writes = [a_creation("new"), a_change(second, Change.UPDATED, expected)]
    with pytest.raises(Conflict) as refused:
        await stores.memories.append(space, writes, None)
    assert refused.value.metadata == {"index": "1", "revision": "2"}
    assert await stores.revision(space) == 2
    assert await stores.memories.latest(space, ["m", "new"]) == {"m": second}


async def test_a_write_to_nothing_is_refused(stores: Stores, space: Space) -> None:
    (made,) = await stores.memories.append(space, [a_creation("m")], None)
    (deleted,) = await stores.memories.append(space, [a_change(made, Change.DELETED)], None)
    for expected, write in ((2, deleted), (1, made)):
        with pytest.raises(Conflict):
            await stores.memories.append(space, [a_change(write, Change.UPDATED, expected)], None)
    with pytest.raises(Conflict) as refused:
        await stores.memories.append(await stores.new_space(), [a_change(made, Change.UPDATED)], None)
    assert refused.value.metadata == {"index": "0", "revision": "0"}


async def test_a_batch_may_write_a_memory_once(stores: Stores, space: Space) -> None:
    with pytest.raises(Conflict) as refused:
        await stores.memories.append(space, [a_creation("a"), a_creation("b"), a_creation("a")], None)
    assert refused.value.metadata["index"] == "2"
    assert await stores.revision(space) == 0
    assert (await stores.spaces.space_status(space)).memory_count == 0


async def test_a_space_that_is_gone_takes_nothing(stores: Stores, space: Space) -> None:
    await stores.spaces.delete_space(space, force=True, request=None)
    for gone in (space, a_space()):
        with pytest.raises(NotFound):
            await stores.memories.append(gone, [a_creation()], None)


async def test_hydrate_gives_what_may_be_returned(stores: Stores, space: Space) -> None:
    soon = NOW + timedelta(hours=1)
    kept, updated, deleted, expiring = await stores.memories.append(
        space, [a_creation("a"), a_creation("b"), a_creation("c"), a_creation("d", expire_time=soon)], None
    )
    (newer,) = await stores.memories.append(space, [a_change(updated, Change.UPDATED)], None)
    await stores.memories.append(space, [a_change(deleted, Change.DELETED)], None)
    asked = np.arange(1, 9)
    assert await stores.memories.hydrate(space, asked, NOW) == {1: kept, 4: expiring, 5: newer}
    assert await stores.memories.hydrate(space, asked, soon) == {1: kept, 5: newer}
    assert await stores.memories.hydrate(space, asked[:0], NOW) == {}
    assert await stores.memories.hydrate(await stores.new_space(), asked, NOW) == {}


async def test_vectors_of_a_passage_are_kept_in_half_precision(stores: Stores, space: Space) -> None:
    write = a_creation(chunks=3)
    await stores.memories.append(space, [write], None)
    assert write.passage is not None
    kept = await stores.memories.vectors(space, write.passage_id)
    np.testing.assert_array_equal(kept, write.passage.vectors.astype(np.float16).astype(np.float32), strict=True)


async def test_a_request_has_one_effect(stores: Stores, space: Space) -> None:
    request = a_request()
    assert await stores.memories.replay(space, request) is None
    made = await stores.memories.append(space, [a_creation("a"), a_creation("b")], request)
    await stores.memories.append(space, [a_change(made[0], Change.UPDATED, speaker="Ann")], None)
    assert await stores.memories.replay(space, request) == made
    assert await stores.memories.append(space, [a_creation("a"), a_creation("b")], request) == made
    assert await stores.revision(space) == 3


async def test_a_request_id_serves_one_request(stores: Stores, space: Space) -> None:
    request = a_request(b"first")
    await stores.memories.append(space, [a_creation()], request)
    other = RequestKey(request.id, b"second")
    with pytest.raises(RequestIdReused):
        await stores.memories.append(space, [a_creation()], other)
    with pytest.raises(RequestIdReused):
        await stores.memories.replay(space, other)
    assert await stores.memories.replay(await stores.new_space(), other) is None
    assert await stores.revision(space) == 1


async def test_a_version_that_exists_may_be_the_answer_to_a_request(stores: Stores, space: Space) -> None:
    request = a_request(b"first")
    (made,) = await stores.memories.append(space, [a_creation("m")], None)
    assert await stores.memories.answer(space, request, made) == made
    (updated,) = await stores.memories.append(space, [a_change(made, Change.UPDATED, speaker="Ann")], None)
    assert await stores.memories.replay(space, request) == [made]
    assert await stores.memories.answer(space, request, updated) == made
    with pytest.raises(RequestIdReused):
        await stores.memories.answer(space, RequestKey(request.id, b"second"), made)
    assert await stores.revision(space) == 2


async def test_a_refused_write_leaves_its_request_free(stores: Stores, space: Space) -> None:
    request = a_request()
    (made,) = await stores.memories.append(space, [a_creation("m")], None)
    with pytest.raises(Conflict):
        await stores.memories.append(space, [a_creation("m")], request)
    (updated,) = await stores.memories.append(space, [a_change(made, Change.UPDATED)], request)
    assert updated.revision == 2


async def test_the_same_request_many_times_at_once_has_one_effect(stores: Stores, space: Space) -> None:
    request = a_request()
    answers = await asyncio.gather(
        *(stores.memories.append(space, [a_creation(), a_creation()], request) for _ in range(12))
    )
    assert all(answer == answers[0] for answer in answers)
    assert await stores.revision(space) == 2


async def test_writers_at_once_leave_no_gap(stores: Stores, space: Space) -> None:
    """Whoever reads a head can read everything below it."""

    sizes, rounds = [1, 2, 3, 1, 2, 3], 10
    total = rounds * sum(sizes)

    async def write(size: int) -> None:
        for _ in range(rounds):
            await stores.memories.append(space, [a_creation() for _ in range(size)], None)

    async def read() -> None:
        seen = 0
        while seen < total:
            head = await stores.revision(space)
            rows = (await stores.log.tail(space, seen, head, 1_000)).rows
            assert [row.revision for row in rows] == list(range(seen + 1, head + 1))
            seen = head
            await asyncio.sleep(0)

    await asyncio.gather(read(), *(write(size) for size in sizes))
    times = [row.update_time for row in (await stores.log.tail(space, 0, total, 1_000)).rows]
    assert times == sorted(times)


async def test_of_writers_from_one_version_one_wins(stores: Stores, space: Space) -> None:
    (made,) = await stores.memories.append(space, [a_creation("m")], None)
    results = await asyncio.gather(
        *(stores.memories.append(space, [a_change(made, Change.UPDATED, speaker=f"{i}")], None) for i in range(10)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Conflict) for result in results) == 9
    assert len(await stores.memories.history(space, "m", 99, 99)) == 2


async def test_a_deletion_of_the_space_meets_writers(stores: Stores) -> None:
    """A writer has written before the space is gone, or finds it gone; nothing of it stays."""
    space = await stores.new_space("notes")
    writes = [a_creation() for _ in range(20)]
    appends = [stores.memories.append(space, [write], None) for write in writes]
    deletion = stores.spaces.delete_space(space, force=True, request=None)
    results = await asyncio.gather(*appends[:10], deletion, *appends[10:], return_exceptions=True)
    assert all(isinstance(result, NotFound | list | int) for result in results)
    assert await stores.spaces.find_space("default", "notes") is None
    assert await stores.memories.latest(space, [write.memory_id for write in writes]) == {}


async def test_each_write_may_have_a_request_of_its_own(stores: Stores) -> None:
    space = await stores.new_space()
    a, b, c = a_request(), a_request(), a_request()
    made = await stores.memories.append_each(space, [a_creation("a"), a_creation("b")], [a, b])
    assert [memory.revision for memory in made] == [1, 2]
    assert await stores.memories.replay_each(space, [b, c, a]) == {a.id: made[0], b.id: made[1]}
    assert await stores.memories.replay(space, b) == [made[1]]


async def test_a_request_that_was_answered_stops_the_others(stores: Stores) -> None:
    space = await stores.new_space()
    a, b, c = a_request(), a_request(), a_request()
    await stores.memories.append(space, [a_creation("b")], b)
    with pytest.raises(Conflict) as caught:
        await stores.memories.append_each(space, [a_creation(key) for key in "xyz"], [a, b, c])
    assert caught.value.metadata["index"] == "1"
    assert await stores.revision(space) == 1
    assert await stores.memories.replay_each(space, [a, c]) == {}


async def test_a_request_with_another_body_is_told(stores: Stores) -> None:
    space = await stores.new_space()
    request = a_request(b"one")
    await stores.memories.append_each(space, [a_creation("a")], [request])
    found = await stores.memories.replay_each(space, [RequestKey(request.id, b"other")])
    assert isinstance(found[request.id], RequestIdReused)


async def test_old_requests_are_forgotten(database: Database, postgres_stores: Stores) -> None:
    old, fresh = a_request(), a_request()
    space = await postgres_stores.spaces.create_space(a_space(), a_request())
    await postgres_stores.memories.append(space, [a_creation("a")], old)
    async with database.unlocked() as connection:
        for table in ("requests", "space_requests"):
            await connection.execute(f"UPDATE {table} SET create_time = now() - interval '8 days'")
    await postgres_stores.memories.append(space, [a_creation("b")], fresh)
    assert await trim_requests(database, older_than_days=7) == 2
    assert await postgres_stores.memories.replay(space, old) is None
    assert await postgres_stores.memories.replay(space, fresh) is not None


def test_fields_of_the_largest_memory_are_all_given() -> None:
    assert set(EVERYTHING) == set(MemoryFields.__slots__) - {"content"}
