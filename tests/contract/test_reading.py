"""Reads that share one connection."""

import asyncio

import numpy as np
import psycopg
import pytest

from quipu_server.errors import StoreUnavailable
from quipu_server.store import copy_format as binary
from quipu_server.store.database import Database

_DOUBLED = "SELECT r, 2 * r FROM unnest($1::bigint[]) AS r"
_DIVIDED = "SELECT 1 / r FROM unnest($1::bigint[]) AS r"
_END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_SLOW = "SELECT pg_sleep(10) FROM unnest($1::bigint[])"


def numbers(*values: int) -> bytes:
    return binary.int8_array(np.array(values, np.int64))


async def test_each_read_gets_its_own_rows(database: Database) -> None:
    reads = [database.fetch_unlocked(_DOUBLED, numbers(*range(i, i + i % 3))) for i in range(50)]
    for i, rows in enumerate(await asyncio.gather(*reads)):
        assert rows == [(n, 2 * n) for n in range(i, i + i % 3)]


async def test_reads_larger_than_a_socket_takes_at_once(database: Database) -> None:
    many = range(500_000)
    rows, few = await asyncio.gather(
        database.fetch_unlocked(_DOUBLED, numbers(*many)), database.fetch_unlocked(_DOUBLED, numbers(7))
    )
    assert len(rows) == len(many)
    assert few == [(7, 14)]


async def test_a_read_that_fails_leaves_the_next_ones_alone(database: Database) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        await database.fetch_unlocked(_DIVIDED, numbers(0))
    assert await database.fetch_unlocked(_DIVIDED, numbers(1)) == [(1,)]


async def test_a_caller_that_left_takes_nobody_elses_rows(database: Database) -> None:
    left = asyncio.create_task(database.fetch_unlocked(_DOUBLED, numbers(1)))
    await asyncio.sleep(0)
    left.cancel()
    assert await database.fetch_unlocked(_DOUBLED, numbers(2)) == [(2, 4)]


async def test_a_broken_connection_fails_the_read_and_is_replaced(database: Database) -> None:
    slow = asyncio.create_task(database.fetch_unlocked(_SLOW, numbers(1)))
    await asyncio.sleep(0.1)
    async with database.owner() as connection:
        await connection.execute(_END_OTHERS)
    with pytest.raises(StoreUnavailable):
        await slow
    async with asyncio.timeout(10):
        while True:
            try:
                assert await database.fetch_unlocked(_DOUBLED, numbers(3)) == [(3, 6)]
                return
            except StoreUnavailable:
                await asyncio.sleep(0.02)
