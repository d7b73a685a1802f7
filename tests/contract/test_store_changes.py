"""The log as those read it who watch for changes."""

from collections.abc import Sequence
from random import Random

import pytest

from quipu_server.domain import Change, Memory, Space
from quipu_server.filters import Comparison, Condition, Not, Operator
from tests.contract.stores import Stores, a_change, a_creation

IS_X = Comparison("speaker", Operator.EQUAL, "x")


async def seen(
    stores: Stores, space: Space, after: int, upto: int, condition: Condition | None = None
) -> Sequence[tuple[int, Change, bool]]:
    part = await stores.memories.changes(space, after, upto, condition)
    return [(memory.revision, memory.change, left) for memory, left, _ in part.changes]


async def populate(stores: Stores, space: Space) -> Sequence[Memory]:
    """Sixty versions of ten memories, changed in random ways; in their order."""
    random = Random(3)
    made: list[Memory] = list(await stores.memories.append(space, [a_creation(f"m{i}") for i in range(10)], None))
    current = {memory.memory_id: memory for memory in made}
    for _ in range(50):
        memory = current[random.choice(list(current))]
        change = (
            Change.UNDELETED if memory.is_deleted else random.choice([Change.UPDATED, Change.UPDATED, Change.DELETED])
        )
        speaker = random.choice("xy") if change is Change.UPDATED else memory.fields.speaker
        made += await stores.memories.append(space, [a_change(memory, change, speaker=speaker)], None)
        current[memory.memory_id] = made[-1]
    return made


async def test_every_change_comes_once_in_order(stores: Stores) -> None:
    space = await stores.new_space()
    made = await populate(stores, space)
    pages = [await stores.memories.changes(space, start, min(start + 7, 60), None) for start in range(0, 60, 7)]
    found = [memory for page in pages for memory, _, _ in page.changes]
    assert found == made


@pytest.mark.parametrize("condition", [IS_X, Not(IS_X)])
async def test_a_condition_finds_what_meets_it_and_what_left(stores: Stores, condition: Condition) -> None:
    space = await stores.new_space()
    made = await populate(stores, space)
    expected, before = [], dict[str, Memory]()
    for memory in made:
        old = before.get(memory.memory_id)
        before[memory.memory_id] = memory
        is_met = (memory.fields.speaker == "x") is (condition is IS_X)
        was_met = old is not None and not old.is_deleted and (old.fields.speaker == "x") is (condition is IS_X)
        if is_met or was_met:
            expected.append((memory.revision, memory.change, not is_met))
    assert await seen(stores, space, 0, 60, condition) == expected
    assert any(left for _, _, left in expected)


async def test_nonces_come_with_the_changes(stores: Stores) -> None:
    space = await stores.new_space()
    await populate(stores, space)
    nonces = [await stores.log.nonce(space, revision) for revision in range(62)]
    part = await stores.memories.changes(space, 20, 27, None)
    assert (part.nonce_before, part.nonce) == (nonces[20], nonces[27])
    assert [change.nonce for change in part.changes] == nonces[21:28]
    nothing = await stores.memories.changes(space, 20, 27, Comparison("speaker", Operator.EQUAL, "nobody"))
    assert nothing == ([], nonces[20], nonces[27])
    assert (await stores.memories.changes(space, 0, 61, IS_X))[1:] == (0, 0)


async def test_other_spaces_have_logs_of_their_own(stores: Stores) -> None:
    space, other = await stores.new_space("a"), await stores.new_space("b")
    await stores.memories.append(space, [a_creation("m")], None)
    await stores.memories.append(other, [a_creation("m", speaker="x"), a_creation("n", speaker="x")], None)
    assert await seen(stores, space, 0, 9) == [(1, Change.CREATED, False)]
    assert await seen(stores, space, 0, 9, IS_X) == []
