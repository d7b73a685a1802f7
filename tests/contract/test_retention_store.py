"""What every RetentionStore does."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from quipu_server.domain import Change, Kind, Memory, Space, Write
from quipu_server.filters import AllOf, Comparison, In, Operator
from quipu_server.ports.retention import Moment, Rule, Scope
from tests.contract.stores import Stores, a_change, a_creation

EVERYTHING = Rule(Scope.KEPT, None)


@pytest.fixture
async def space(stores: Stores) -> Space:
    return await stores.new_space()


async def now_of(stores: Stores, space: Space) -> Moment:
    head = (await stores.log.heads([space.id]))[space.id]
    return Moment(head.revision, head.now)


async def append(stores: Stores, space: Space, *writes: Write) -> list[Memory]:
    return [*await stores.memories.append(space, writes, None)]


async def met(stores: Stores, space: Space, rule: Rule, moment: Moment | None = None) -> list[str]:
    """Ids of the memories, in the order in which they are given up."""
    found = await stores.retention.meeting(space, rule, moment or await now_of(stores, space))
    assert found.dtype == np.int64
    versions = {memory.revision: memory for memory in await stores.retention.still_current(space, found)}
    return [versions[revision].memory_id for revision in found.tolist() if revision in versions]


async def test_scopes(stores: Stores, space: Space) -> None:
    names = ("used", "archived", "deleted", "expired")
    past = (await now_of(stores, space)).now - timedelta(hours=1)
    made = await append(
        stores, space, *(a_creation(name, expire_time=past if name == "expired" else None) for name in names)
    )
    await append(stores, space, a_change(made[1], Change.ARCHIVED), a_change(made[2], Change.DELETED))
    assert await met(stores, space, Rule(Scope.IN_USE, None)) == ["used"]
    assert await met(stores, space, EVERYTHING) == ["expired", "archived", "used"]
    assert await met(stores, space, Rule(Scope.ARCHIVED, None)) == ["archived"]


async def test_conditions(stores: Stores, space: Space) -> None:
    await append(
        stores,
        space,
        a_creation("a", kind=Kind.WORKING, tags=("x", "y")),
        a_creation("b", kind=Kind.WORKING),
        a_creation("c", tags=("x",)),
    )
    condition = AllOf((In("kind", ("working",)), In("tags", ("x", "z"))))
    assert await met(stores, space, Rule(Scope.IN_USE, condition)) == ["a"]


async def test_the_order_in_which_memories_are_given_up(stores: Stores, space: Space) -> None:
    now = (await now_of(stores, space)).now

    def at(name: str, importance: float, days: int | None, **fields: Any) -> Write:
        happened = None if days is None else now - timedelta(days=days)
        return a_creation(name, importance=importance, event_time=happened, **fields)

    made = await append(
        stores,
        space,
        at("new", 0.5, None),
        at("old", 0.5, 9),
        at("b-older", 0.5, 10),
        at("a-older", 0.5, 10),
        at("vital", 0.9, 50),
        at("trifle", 0.1, None),
        at("shelved", 1.0, None),
        at("gone", 1.0, None, expire_time=now - timedelta(days=1)),
    )
    await append(stores, space, a_change(made[6], Change.ARCHIVED))
    wanted = ["gone", "shelved", "trifle", "a-older", "b-older", "old", "new", "vital"]
    assert await met(stores, space, EVERYTHING) == wanted


async def test_what_came_after_the_moment_does_not_count(stores: Stores, space: Space) -> None:
    made = await append(stores, space, a_creation("a"), a_creation("b"), a_creation("c"))
    moment = await now_of(stores, space)
    changed = await append(
        stores,
        space,
        a_change(made[0], Change.UPDATED, tags=("x",)),
        a_change(made[1], Change.ARCHIVED),
        a_creation("d", tags=("x",)),
    )
    found = await stores.retention.meeting(space, EVERYTHING, moment)
    assert sorted(found.tolist()) == [memory.revision for memory in made]
    assert [m.memory_id for m in await stores.retention.still_current(space, found)] == ["c"]
    assert await met(stores, space, Rule(Scope.KEPT, In("tags", ("x",))), moment) == []
    assert await met(stores, space, Rule(Scope.KEPT, In("tags", ("x",)))) == ["a", "d"]
    both = np.array([changed[1].revision, changed[0].revision], np.int64)
    assert await stores.retention.still_current(space, both) == [changed[0], changed[1]]


async def test_messages_of_idle_sessions(stores: Stores, space: Space) -> None:
    now = (await now_of(stores, space)).now

    def said(name: str, session: str, days: float, **fields: Any) -> Write:
        return a_creation(name, session=session, event_time=now - timedelta(days=days), **fields)

    made = await append(
        stores,
        space,
        said("over-1", "over", 30),
        said("over-2", "over", 20),
        said("busy-1", "busy", 30),
        said("busy-2", "busy", 1),
        said("shelved-1", "shelved", 30),
        said("shelved-2", "shelved", 1),
        said("cut-1", "cut", 30),
        said("cut-2", "cut", 1),
        said("fact", "over", 30, kind=Kind.SEMANTIC),
        a_creation("alone"),
    )
    await append(stores, space, a_change(made[5], Change.ARCHIVED), a_change(made[7], Change.DELETED))

    async def idle(since: datetime, scope: Scope = Scope.IN_USE) -> list[str]:
        return sorted(await met(stores, space, Rule(scope, None, since)))

    assert await idle(now - timedelta(days=10)) == ["cut-1", "over-1", "over-2"]
    assert await idle(now - timedelta(days=25)) == ["cut-1"]
    # Its end counts for a session that was ended, whenever its messages were.
    await stores.sessions.end_session(space, "over")
    assert await idle(now - timedelta(days=10)) == ["cut-1"]
    later = (await now_of(stores, space)).now
    assert await idle(later, Scope.KEPT) == [
        "busy-1", "busy-2", "cut-1", "over-1", "over-2", "shelved-1", "shelved-2",
    ]  # fmt: skip
    condition = Comparison("importance", Operator.GREATER, 0.9)
    assert await met(stores, space, Rule(Scope.IN_USE, condition, later)) == []


async def test_a_space_without_memories(stores: Stores, space: Space) -> None:
    assert await met(stores, space, EVERYTHING) == []
    assert await stores.retention.still_current(space, np.empty(0, np.int64)) == []
