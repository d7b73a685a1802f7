"""Ids made by the server."""

import itertools
import os
import time

_counter = itertools.count(time.time_ns() // 1_000)


def new_memory_id() -> str:
    """30 hexadecimal digits: microseconds since 1970 (14 digits), then 64 random bits.

    Ids made by one process sort in the order they were made; those of several sort by time, as well as clocks agree.
    """
    return f"{_tick():014x}{os.urandom(8).hex()}"


def _tick() -> int:
    """The time in microseconds, later at each call."""
    global _counter  # noqa: PLW0603  # one clock a process
    tick = max(next(_counter), time.time_ns() // 1_000)
    _counter = itertools.count(tick + 1)
    return tick
