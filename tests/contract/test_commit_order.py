"""A transaction that commits later than a younger one: what is seen stays a beginning of the log."""

import asyncio

import pytest

from quipu_server.domain import Space
from quipu_server.store import Database
from quipu_server.store.appending import append
from tests.contract.stores import Stores, a_creation


async def seen(stores: Stores, space: Space) -> list[tuple[int, str]]:
    head = (await stores.log.heads([space.id]))[space.id].revision
    return [(row.revision, row.memory_id) for row in (await stores.log.tail(space, 0, head, 100)).rows]


async def test_a_younger_transaction_waits_for_an_older_one(database: Database, postgres_stores: Stores) -> None:
    space = await postgres_stores.new_space()
    async with database.unlocked() as older:
        await append(older, space, [a_creation("older")], None)
        younger = asyncio.create_task(postgres_stores.memories.append(space, [a_creation("younger")], None))
        await asyncio.sleep(0.3)
        assert not younger.done()
        assert await seen(postgres_stores, space) == []
    await younger
    assert await seen(postgres_stores, space) == [(1, "older"), (2, "younger")]


async def test_a_transaction_that_is_rolled_back_leaves_no_gap(database: Database, postgres_stores: Stores) -> None:
    space = await postgres_stores.new_space()
    with pytest.raises(ZeroDivisionError):  # noqa: PT012  the transaction is what raises
        async with database.unlocked() as older:
            await append(older, space, [a_creation("older")], None)
            younger = asyncio.create_task(postgres_stores.memories.append(space, [a_creation("younger")], None))
            await asyncio.sleep(0.3)
            raise ZeroDivisionError
    await younger
    assert await seen(postgres_stores, space) == [(1, "younger")]


async def test_spaces_do_not_wait_for_each_other(database: Database, postgres_stores: Stores) -> None:
    space, other = await postgres_stores.new_space("a"), await postgres_stores.new_space("b")
    async with database.unlocked() as held:
        await append(held, space, [a_creation("held")], None)
        async with asyncio.timeout(10):
            await postgres_stores.memories.append(other, [a_creation("free")], None)
        assert await seen(postgres_stores, other) == [(1, "free")]


async def test_a_follower_that_reads_while_many_write_misses_nothing(postgres_stores: Stores) -> None:
    """Reads the tail again and again while transactions of many lengths race."""
    space = await postgres_stores.new_space()
    writers = [
        asyncio.create_task(postgres_stores.memories.append(space, [a_creation() for _ in range(1 + i % 7)], None))
        for i in range(60)
    ]
    followed: list[int] = []
    while not all(writer.done() for writer in writers) or len(followed) < sum(1 + i % 7 for i in range(60)):
        head = (await postgres_stores.log.heads([space.id]))[space.id].revision
        tail = await postgres_stores.log.tail(space, len(followed), head, 1_000)
        followed += [row.revision for row in tail.rows]
        assert followed == list(range(1, head + 1))
    await asyncio.gather(*writers)
