"""Work in turns."""

import asyncio

from quipu_server.turns import AT_ONCE, in_turns


async def test_others_have_turns_while_much_is_worked_on() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(other())
    try:
        assert await in_turns(str, range(5 * AT_ONCE)) == [str(number) for number in range(5 * AT_ONCE)]
    finally:
        waiting.cancel()
    assert turns >= 4
