"""Lets others have the event loop while much is worked on."""

import asyncio
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 32
"""Of texts, which take some 0.1 ms each: a search that waits meanwhile hardly notices."""


async def in_turns(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """What the work makes of each; after every few others have a turn: one large call must not hold up small ones."""
    made = []
    for place, item in enumerate(items):
        if place and not place % AT_ONCE:
            await asyncio.sleep(0)
        made.append(work(item))
    return made
