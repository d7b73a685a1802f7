"""What every SessionStore does."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quipu_server.domain import Change, Kind, Memory, Role, Space, Write
from quipu_server.errors import NotFound, RequestIdReused, SessionEnded
from quipu_server.ports.sessions import MessageQuery, Place, Session, SessionQuery, SessionSettings, SessionStore
from tests.contract.stores import Stores, a_change, a_creation, a_request

SETTINGS = SessionSettings("Tea", "They drink it.", {"n": 1.0, "when": datetime(2024, 1, 1, tzinfo=UTC), "l": ("a",)})


@pytest.fixture
async def space(stores: Stores) -> Space:
    return await stores.new_space()


def said(content: str, session: str = "s", **fields: Any) -> Write:
    return a_creation(content, content, session=session, **fields)


async def append(stores: Stores, space: Space, *writes: Write) -> list[Memory]:
    return [*await stores.memories.append(space, writes, None)]


async def contents(stores: Stores, space: Space, session: str = "s", limit: int = 100, **query: Any) -> list[str]:
    found = await stores.sessions.list_messages(MessageQuery(space, session, limit, **query))
    return [message.memory.fields.content for message in found]


async def names(
    store: SessionStore, space: Space, *, by_activity: bool = False, ended: bool | None = None
) -> list[str]:
    """All sessions, page by page."""
    found: list[Session] = []
    while page := await store.list_sessions(
        SessionQuery(space, by_activity, ended, (found[-1].statistics.newest, found[-1].name) if found else None, 2)
    ):
        found += page
    return [session.name for session in found]


async def test_messages_are_in_the_order_they_were_created(stores: Stores, space: Space) -> None:
    a, b, c = await append(stores, space, said("a"), said("b"), said("c"))
    await append(stores, space, said("d", "other"), said("fact", kind=Kind.SEMANTIC), said("e"))
    await append(stores, space, a_change(a, Change.UPDATED, speaker="Ann"))
    (gone,) = await append(stores, space, a_change(b, Change.DELETED))
    assert await contents(stores, space) == ["a", "c", "e"]
    await append(stores, space, a_change(gone, Change.UNDELETED))
    assert await contents(stores, space) == ["a", "b", "c", "e"]
    assert await contents(stores, space, newest_first=True) == ["e", "c", "b", "a"]
    assert await contents(stores, space, limit=2, after=a.created) == ["b", "c"]
    assert await contents(stores, space, limit=2, newest_first=True, after=c.created) == ["b", "a"]
    assert await contents(stores, space, revision=2) == ["a", "b"]
    assert await contents(stores, space, revision=8) == ["a", "c", "e"]


async def test_what_has_expired_is_no_message(stores: Stores, space: Space) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    await append(stores, space, said("a", expire_time=soon), said("b"))
    await asyncio.sleep(0.6)
    assert await contents(stores, space) == ["b"]
    session = await stores.sessions.find_session(space, "s")
    assert session is not None
    assert session.statistics.count == 1


async def test_statistics_are_those_of_the_messages(stores: Stores, space: Space) -> None:
    early, late = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)
    a, b, _ = await append(
        stores,
        space,
        said("a", role=Role.USER, event_time=late),
        said("b", role=Role.USER, event_time=early),
        said("c", kind=Kind.PROFILE),
    )
    await stores.sessions.keep_counts(space, {a.passage_id: 5})
    session = await stores.sessions.find_session(space, "s")
    assert session is not None
    found = session.statistics
    assert (found.count, dict(found.by_role), found.newest) == (2, {Role.USER: 2}, b.created)
    assert (found.token_count, found.uncounted) == (5, 1)
    assert (found.first_time, found.last_time) == (early, late)
    assert [m.token_count for m in await stores.sessions.list_messages(MessageQuery(space, "s", 9))] == [5, None]
    assert await stores.sessions.find_session(space, "none") is None


async def test_settings_are_stored_at_the_expected_version(stores: Stores, space: Space) -> None:
    request = a_request()
    assert not await stores.sessions.set_session(space, "s", SETTINGS, 1, request)
    assert await stores.sessions.set_session(space, "s", SETTINGS, 0, request)
    assert not await stores.sessions.set_session(space, "s", SessionSettings(), 0, None)
    session = await stores.sessions.find_session(space, "s")
    assert session is not None
    assert (session.settings, session.version) == (SETTINGS, 1)
    assert await stores.sessions.set_session(space, "s", SessionSettings("new"), 1, None)
    assert await stores.sessions.set_session(space, "s", SETTINGS, 0, request)
    again = await stores.sessions.find_session(space, "s")
    assert again is not None
    assert (again.settings.title, again.version) == ("new", 2)
    with pytest.raises(RequestIdReused):
        await stores.sessions.set_session(space, "s", SETTINGS, 2, type(request)(request.id, b"other"))


async def test_sessions_are_listed(stores: Stores, space: Space) -> None:
    for session in ("b", "a", "c", "b"):
        await append(stores, space, a_creation(session=session))
    await append(stores, space, a_creation())
    await stores.sessions.set_session(space, "d", SETTINGS, 0, None)
    await stores.sessions.end_session(space, "a")
    assert await names(stores.sessions, space) == ["a", "b", "c", "d"]
    assert await names(stores.sessions, space, by_activity=True) == ["b", "c", "a", "d"]
    assert await names(stores.sessions, space, ended=True) == ["a"]
    assert await names(stores.sessions, space, ended=False) == ["b", "c", "d"]


async def test_a_session_ends_once(stores: Stores, space: Space) -> None:
    with pytest.raises(NotFound):
        await stores.sessions.end_session(space, "s")
    await append(stores, space, said("a"))
    await stores.sessions.end_session(space, "s")
    first = await stores.sessions.find_session(space, "s")
    await stores.sessions.end_session(space, "s")
    assert first == await stores.sessions.find_session(space, "s")
    assert first is not None
    assert first.end_time is not None


async def test_a_write_says_which_of_its_messages_comes_too_late(postgres_stores: Stores) -> None:
    space = await postgres_stores.new_space()
    await append(postgres_stores, space, said("a"))
    await postgres_stores.sessions.end_session(space, "s")
    with pytest.raises(SessionEnded) as raised:
        await append(postgres_stores, space, said("b", "open"), said("c"))
    assert raised.value.index == 1
    assert await contents(postgres_stores, space, "open") == []


async def test_a_deletion_takes_all_messages(stores: Stores, space: Space) -> None:
    await append(stores, space, said("a"), said("b"), said("c", "other"), said("fact", kind=Kind.SEMANTIC))
    await stores.sessions.set_session(space, "s", SETTINGS, 0, None)
    request = a_request()
    assert await stores.sessions.delete_session(space, "s", request) == (2, 6)
    assert await stores.sessions.delete_session(space, "s", request) == (2, 6)
    assert await stores.sessions.find_session(space, "s") is None
    assert (await stores.spaces.space_status(space)).memory_count == 2
    with pytest.raises(NotFound):
        await stores.sessions.delete_session(space, "s", None)
    assert await contents(stores, space, revision=4) == ["a", "b"]


async def test_neighbours_stand_around_places(stores: Stores, space: Space) -> None:
    made = await append(stores, space, *(said(f"{i}", "st"[i % 2]) for i in range(20)))
    places = [Place("s", made[6].created), Place("s", made[8].created), Place("t", made[1].created)]
    near = await stores.sessions.neighbours(space, places, 2, 20)
    assert sorted(int(m.fields.content) for m in near) == [2, 3, 4, 5, 6, 8, 10, 12]
    await append(stores, space, a_change(made[4], Change.DELETED), a_change(made[10], Change.UPDATED, speaker="Ann"))
    now = {int(m.fields.content): m for m in await stores.sessions.neighbours(space, places[:2], 1, 2**63 - 1)}
    assert sorted(now) == [2, 6, 8, 10]
    assert now[10].fields.speaker == "Ann"
