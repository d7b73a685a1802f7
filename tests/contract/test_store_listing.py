"""Pages of memories, as of a revision."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from quipu_server.domain import Change, Memory, Space
from quipu_server.filters import Comparison, Operator
from quipu_server.ports import ListQuery
from tests.contract.stores import Stores, a_change, a_creation

NOW = datetime.now(UTC)
ORDERS = ("create_time", "update_time", "event_time")


def a_query(space: Space, revision: int, order_by: str = "create_time", limit: int = 100) -> ListQuery:
    return ListQuery(space, revision, NOW, None, order_by, False, False, False, None, limit)


async def pages(stores: Stores, query: ListQuery) -> AsyncIterator[Sequence[Memory]]:
    """All pages, each asked for with the last row of the one before."""
    while page := await stores.memories.list_memories(query):
        yield page
        last = page[-1]
        time = getattr(last.fields if query.order_by == "event_time" else last, query.order_by)
        query = replace(query, after=(time, last.memory_id))


async def populate(stores: Stores, space: Space) -> int:
    """Memories with equal, different and missing times, changed in random ways; returns the last revision."""
    random = Random(1)
    times = [None, None, *(NOW + timedelta(microseconds=i) for i in (-2, -1, 0, 1))]
    drafts = [a_creation(f"m{i:02}", event_time=random.choice(times)) for i in range(30)]
    random.shuffle(drafts)
    made = [
        *await stores.memories.append(space, drafts[:15], None),
        *await stores.memories.append(space, drafts[15:], None),
    ]
    for memory in random.sample(made, 12):
        change = random.choice([Change.UPDATED, Change.DELETED])
        await stores.memories.append(space, [a_change(memory, change, event_time=random.choice(times))], None)
    return await stores.revision(space)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("order_by", ORDERS)
async def test_pages_show_everything_once_in_order(stores: Stores, order_by: str, descending: bool) -> None:
    space = await stores.new_space()
    head = await populate(stores, space)
    query = replace(a_query(space, head, order_by), descending=descending)
    whole = await stores.memories.list_memories(query)
    walked = [memory async for page in pages(stores, replace(query, limit=4)) for memory in page]
    assert walked == whole

    def key(memory: Memory) -> tuple[bool, float, str]:
        time = getattr(memory.fields if order_by == "event_time" else memory, order_by)
        seconds = 0.0 if time is None else (time - NOW) / timedelta(microseconds=1)
        return time is None, -seconds if descending else seconds, memory.memory_id

    assert list(whole) == sorted(whole, key=key)
    assert len(whole) == (await stores.spaces.space_status(space)).memory_count


async def test_a_listing_shows_a_space_as_it_was(stores: Stores) -> None:
    space = await stores.new_space()
    first, second = await stores.memories.append(space, [a_creation("a"), a_creation("b")], None)
    (updated,) = await stores.memories.append(space, [a_change(first, Change.UPDATED, speaker="Ann")], None)
    (deleted,) = await stores.memories.append(space, [a_change(second, Change.DELETED)], None)
    shown = [await stores.memories.list_memories(a_query(space, revision)) for revision in range(5)]
    assert shown == [[], [first], [first, second], [updated, second], [updated]]
    with_deleted = replace(a_query(space, 4), show_deleted=True)
    assert await stores.memories.list_memories(with_deleted) == [updated, deleted]


async def test_what_has_expired_is_not_listed(stores: Stores) -> None:
    space = await stores.new_space()
    drafts = [a_creation("past", expire_time=NOW), a_creation("future", expire_time=NOW + timedelta(microseconds=1))]
    await stores.memories.append(space, drafts, None)
    listed = await stores.memories.list_memories(replace(a_query(space, 2), show_deleted=True))
    assert [memory.memory_id for memory in listed] == ["future"]


async def test_a_filter_goes_with_every_page(stores: Stores) -> None:
    space = await stores.new_space()
    await stores.memories.append(space, [a_creation(f"m{i}", session=f"s{i % 3}") for i in range(12)], None)
    query = replace(a_query(space, 12, limit=2), condition=Comparison("session", Operator.EQUAL, "s1"))
    walked = [memory.memory_id async for page in pages(stores, query) for memory in page]
    assert walked == ["m1", "m10", "m4", "m7"]
