"""What every LogSource shows to those who follow it."""

import time
from collections.abc import Sequence

import numpy as np

from quipu_server.domain import Change, IndexRow, Kind, Role, Space
from tests.contract.stores import Stores, a_change, a_creation


async def snapshot(stores: Stores, space: Space, revision: int) -> Sequence[IndexRow]:
    return [row async for rows in stores.log.snapshot(space, revision) for row in rows]


async def test_heads_are_those_of_the_spaces_that_exist(stores: Stores) -> None:
    written, empty, gone = [await stores.new_space(name) for name in ("a", "b", "c")]
    await stores.memories.append(written, [a_creation(), a_creation()], None)
    await stores.spaces.delete_space(gone, force=True, request=None)
    heads = await stores.log.heads([written.id, empty.id, gone.id])
    assert {key: head.revision for key, head in heads.items()} == {written.id: 2, empty.id: 0}
    (made,) = await stores.memories.append(empty, [a_creation()], None)
    assert heads[empty.id].now <= made.create_time


async def test_a_row_has_what_an_index_needs(stores: Stores) -> None:
    space = await stores.new_space()
    fields = {"kind": Kind.PROFILE, "role": Role.USER, "speaker": "Ann", "session": "s", "tags": ("b", "a")}
    write = a_creation("m", "tea and milk and tea", chunks=3, importance=0.25, **fields)
    (memory,) = await stores.memories.append(space, [write], None)
    (row,) = (await stores.log.tail(space, 0, 1, 10)).rows
    assert (row.memory_id, row.revision, row.change) == ("m", 1, Change.CREATED)
    assert {name: getattr(row, name) for name in fields} == fields
    assert (row.importance, row.create_time, row.update_time) == (0.25, memory.create_time, memory.update_time)
    assert (list(row.terms), list(row.frequencies), row.length) == (["tea", "and", "milk"], [2, 2, 1], 5)
    assert write.passage is not None
    np.testing.assert_array_equal(row.codes, write.passage.vectors.astype(np.float16), strict=True)
    np.testing.assert_array_equal(row.spans, write.passage.spans, strict=True)


async def test_a_text_without_words_has_a_row(stores: Stores) -> None:
    space = await stores.new_space()
    await stores.memories.append(space, [a_creation("m", " ")], None)
    (row,) = await snapshot(stores, space, 1)
    assert (list(row.terms), list(row.frequencies), row.length) == ([], [], 0)


async def test_the_tail_is_every_revision_in_order(stores: Stores) -> None:
    space = await stores.new_space()
    a, b = await stores.memories.append(space, [a_creation("a"), a_creation("b")], None)
    (deleted,) = await stores.memories.append(space, [a_change(a, Change.DELETED)], None)
    await stores.memories.append(
        space, [a_change(b, Change.UPDATED, speaker="Ann"), a_change(deleted, Change.UNDELETED)], None
    )

    async def seen(after: int, upto: int, limit: int) -> list[tuple[int, str, Change]]:
        return [
            (row.revision, row.memory_id, row.change) for row in (await stores.log.tail(space, after, upto, limit)).rows
        ]

    everything = [
        (1, "a", Change.CREATED),
        (2, "b", Change.CREATED),
        (3, "a", Change.DELETED),
        (4, "b", Change.UPDATED),
        (5, "a", Change.UNDELETED),
    ]
    assert [row.created for row in (await stores.log.tail(space, 0, 5, 10)).rows] == [1, 2, 1, 2, 1]
    assert await seen(0, 5, 10) == everything
    assert await seen(1, 4, 10) == everything[1:4]
    assert await seen(1, 5, 2) == everything[1:3]
    assert await seen(5, 5, 10) == []


async def test_a_snapshot_shows_what_was_live(stores: Stores) -> None:
    space = await stores.new_space()
    a, b = await stores.memories.append(space, [a_creation("a"), a_creation("b")], None)
    await stores.memories.append(space, [a_change(a, Change.DELETED)], None)
    await stores.memories.append(space, [a_change(b, Change.UPDATED)], None)
    shown = [[row.revision for row in await snapshot(stores, space, revision)] for revision in range(5)]
    assert shown == [[], [1], [1, 2], [2], [4]]


async def test_a_large_snapshot_is_whole(stores: Stores) -> None:
    space = await stores.new_space()
    for _ in range(3):
        await stores.memories.append(space, [a_creation() for _ in range(400)], None)
    assert [row.revision for row in await snapshot(stores, space, 1_100)] == list(range(1, 1_101))


async def test_every_write_has_a_nonce_of_its_own(stores: Stores) -> None:
    space = await stores.new_space()
    await stores.memories.append(space, [a_creation("a"), a_creation("b")], None)
    await stores.memories.append(space, [a_creation("c")], None)
    first, second, third = [row.nonce for row in (await stores.log.tail(space, 0, 3, 10)).rows]
    assert first == second != third
    assert 0 not in {first, third}
    assert [await stores.log.nonce(space, revision) for revision in range(5)] == [0, first, second, third, 0]
    assert [row.nonce for row in await snapshot(stores, space, 3)] == [first, second, third]


async def test_a_tail_says_what_it_follows(stores: Stores) -> None:
    space = await stores.new_space()
    await stores.memories.append(space, [a_creation("a")], None)
    await stores.memories.append(space, [a_creation("b"), a_creation("c")], None)
    nonces = [await stores.log.nonce(space, revision) for revision in range(5)]
    for after in range(5):
        for limit in (0, 1, 10):
            tail = await stores.log.tail(space, after, 3, limit)
            assert tail.nonce == nonces[after]
            assert [row.revision for row in tail.rows] == list(range(after + 1, min(after + limit, 3) + 1))


async def test_a_head_has_the_nonce_of_its_revision(stores: Stores) -> None:
    written, empty = [await stores.new_space(name) for name in ("a", "b")]
    before_s = time.monotonic()
    a, _ = await stores.memories.append(written, [a_creation("a"), a_creation("b")], None)
    await stores.memories.append(written, [a_change(a, Change.DELETED)], None)
    heads = await stores.log.heads([written.id, empty.id])
    assert heads[written.id].nonce == await stores.log.nonce(written, 3)
    assert (heads[empty.id].nonce, heads[empty.id].memory_count, heads[written.id].memory_count) == (0, 0, 1)
    assert before_s <= heads[written.id].asked_s <= time.monotonic()
