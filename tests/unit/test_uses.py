"""Counting use: in memory first, in the store when it answers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast
from uuid import UUID, uuid4

import pytest

from quipu_server import uses as module
from quipu_server.domain import Space
from quipu_server.errors import StoreUnavailable
from quipu_server.ports.uses import Use
from quipu_server.spaces import Spaces
from quipu_server.uses import Uses


class Store:
    """Adds up, unless it is away."""

    def __init__(self) -> None:
        self.counts: dict[UUID, Counter[str]] = {}
        self.is_away = False

    async def add_uses(self, space: Space, counts: Mapping[str, int]) -> None:
        if self.is_away:
            raise StoreUnavailable("away")
        self.counts.setdefault(space.id, Counter()).update(counts)

    async def uses(self, space: Space, memory_ids: Sequence[str]) -> Mapping[str, Use]:
        raise NotImplementedError


def a_space() -> Space:
    return Space(uuid4(), "default", "a", "m", "f")


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def uses(store: Store) -> Uses:
    return Uses(store, cast(Spaces, None))


async def test_what_is_counted_is_stored_once(uses: Uses, store: Store) -> None:
    one, two = a_space(), a_space()
    uses.count(one, ["a", "b"])
    uses.count(one, ["a"])
    uses.count(two, ["a"])
    assert store.counts == {}
    for _ in range(2):
        await uses.flush()
        assert store.counts == {one.id: {"a": 2, "b": 1}, two.id: {"a": 1}}


async def test_what_cannot_be_stored_waits(uses: Uses, store: Store) -> None:
    space, store.is_away = a_space(), True
    uses.count(space, ["a"])
    await uses.flush()
    uses.count(space, ["a", "b"])
    store.is_away = False
    await uses.flush()
    assert store.counts == {space.id: {"a": 2, "b": 1}}


async def test_what_waits_has_a_bound(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 2)
    uses, space = Uses(store, cast(Spaces, None)), a_space()
    store.is_away = True
    uses.count(space, ["a", "b", "c"])
    await uses.flush()
    uses.count(space, ["b", "c"])
    store.is_away = False
    await uses.flush()
    uses.count(space, ["c"])
    await uses.flush()
    assert store.counts == {space.id: {"a": 1, "b": 2, "c": 1}}
