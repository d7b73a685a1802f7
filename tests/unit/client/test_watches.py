"""Watching: what is told, where it goes on, and how it ends."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from google.rpc.error_details_pb2 import ErrorInfo

import quipu
from quipu.v1.memory_pb2 import Memory, MemoryChange, MemoryRevision
from quipu.v1.memory_service_pb2 import WatchedChange, WatchMemoriesResponse
from tests.unit.fake_server import FakeServer, abort

HOME = "spaces/default"


@pytest.fixture(autouse=True)
def quick_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quipu.waits.FIRST_WAIT_S", 0.01)


def told(revision: int, *numbers: int, space: str = HOME) -> WatchMemoriesResponse:
    """Changes with these numbers, of a space that has come to a revision."""
    changes = [
        WatchedChange(
            revision=MemoryRevision(
                revision=number,
                change=MemoryChange.MEMORY_CHANGE_UPDATED,
                memory=Memory(name=f"{space}/memories/m{number}"),
            ),
            left=number % 2 == 0,
            nonce=100 + number,
        )
        for number in numbers
    ]
    return WatchMemoriesResponse(
        space=space, changes=changes, revision=revision, head_revision=revision, nonce=100 + revision
    )


def holding(server: FakeServer, *responses: WatchMemoriesResponse) -> Iterator[WatchMemoriesResponse]:
    """Responses, and then none for as long as the call lasts."""
    yield from responses
    while server.context.is_active():
        time.sleep(0.005)


async def test_changes_come_with_what_they_are(server: FakeServer) -> None:
    server.answers["WatchMemories"] = lambda _: holding(server, told(2), told(4, 3, 4))
    async with quipu.connect(server.address) as client:
        watch = client.watch(after=2, filter='tags = "x"')
        first, second = await anext(watch), await anext(watch)
        await watch.close()
    assert first == quipu.Change(HOME, 3, "updated", Memory(name=f"{HOME}/memories/m3"), False)
    assert (second.revision, second.left) == (4, True)
    (request,) = server.requests
    assert (request.spaces, dict(request.after_revisions), request.filter) == ([HOME], {HOME: 2}, 'tags = "x"')


def test_the_blocking_client_watches_too(server: FakeServer) -> None:
    server.answers["WatchMemories"] = lambda _: holding(server, told(2, 1, 2))
    with quipu.connect_sync(server.address) as client:
        watch = client.watch(space="default")
        assert [next(watch).revision for _ in range(2)] == [1, 2]
        watch.close()
    assert dict(server.requests[0].after_revisions) == {}


async def test_the_position_is_that_of_what_was_read(server: FakeServer) -> None:
    other = "spaces/other"
    responses = [told(9), told(20, 3, space=other), told(12, 10, 11), told(15), told(16, 16)]
    server.answers["WatchMemories"] = lambda _: holding(server, *responses)
    async with quipu.connect(server.address) as client:
        watch = client.watch(space=["default", "other"], after={"other": 2})
        positions = [watch.position]
        for _ in range(4):
            await anext(watch)
            positions.append(watch.position)
        await watch.close()
    assert positions == [
        {other: 2},
        {HOME: 9, other: 3},
        {HOME: 10, other: 20},
        {HOME: 11, other: 20},
        {HOME: 16, other: 20},
    ]


async def test_a_token_goes_on_after_what_was_read(server: FakeServer) -> None:
    server.answers["WatchMemories"] = lambda _: holding(server, told(2, 1, 2))
    async with quipu.connect(server.address) as client:
        watch = client.watch(after=0)
        await anext(watch)
        later = client.watch(after=watch.token)
        await anext(later)
        await watch.close()
        await later.close()
    assert [dict(request.after_nonces) for request in server.requests] == [{}, {HOME: 101}]
    assert dict(server.requests[1].after_revisions) == {HOME: 1}


def test_a_blocking_watch_has_a_token_too(server: FakeServer) -> None:
    with quipu.connect_sync(server.address) as client:
        token = client.watch(after={"default": 7}).token
        assert client.watch(after=token).position == {HOME: 7}


def test_tokens_are_the_same_in_all_languages(server: FakeServer) -> None:
    """The tests of the other clients have this token, too."""
    server.answers["WatchMemories"] = lambda _: holding(server, told(3), told(4, 4))
    with quipu.connect_sync(server.address) as client:
        watch = client.watch(after="EhIKDnNwYWNlcy9kZWZhdWx0EAMqEgoOc3BhY2VzL2RlZmF1bHQQBw")
        assert watch.token == "EhIKDnNwYWNlcy9kZWZhdWx0EAMqEgoOc3BhY2VzL2RlZmF1bHQQBw"
        next(watch)
        watch.close()
    (request,) = server.requests
    assert (dict(request.after_revisions), dict(request.after_nonces)) == ({HOME: 3}, {HOME: 7})


@pytest.mark.parametrize("token", ["", "x", "!!!", "AAAA", "Zm9v"])
def test_what_is_no_token_is_refused(server: FakeServer, token: str) -> None:
    with quipu.connect_sync(server.address) as client, pytest.raises(ValueError, match="after: is neither"):
        client.watch(after=token)


@pytest.fixture
def leaving(server: FakeServer) -> FakeServer:
    """Goes away after every change, and is away for a while."""

    def answer(request: Any) -> Iterator[WatchMemoriesResponse]:
        number = len(server.requests)
        if number % 8 == 1:
            after = request.after_revisions.get(HOME, 0)
            yield told(after)
            yield told(after + 1, after + 1)
        abort(server, "UNAVAILABLE", "stopping", ErrorInfo(reason="SHUTTING_DOWN", domain="quipu"))

    server.answers["WatchMemories"] = answer
    return server


async def test_a_watch_goes_on_where_it_was(leaving: FakeServer) -> None:
    async with quipu.connect(leaving.address) as client:
        watch = client.watch()
        assert [(await anext(watch)).revision for _ in range(3)] == [1, 2, 3]
        assert watch.position == {HOME: 3}
    begun = [(dict(request.after_revisions), dict(request.after_nonces)) for request in leaving.requests]
    assert begun[-1] == ({HOME: 2}, {HOME: 102})


def test_a_blocking_watch_goes_on_where_it_was(leaving: FakeServer) -> None:
    with quipu.connect_sync(leaving.address) as client:
        watch = client.watch()
        assert [next(watch).revision for _ in range(3)] == [1, 2, 3]


async def test_a_watch_that_never_began_says_so(server: FakeServer) -> None:
    server.answers["WatchMemories"] = lambda _: abort(server, "UNAVAILABLE", "not yet")
    async with quipu.connect(server.address) as client:
        with pytest.raises(quipu.Unavailable):
            await anext(client.watch())


def test_a_watch_ends_with_its_space(server: FakeServer) -> None:
    def answer(_: Any) -> Iterator[WatchMemoriesResponse]:
        yield told(1)
        abort(server, "NOT_FOUND", "gone", ErrorInfo(reason="SPACE_NOT_FOUND", domain="quipu"))

    server.answers["WatchMemories"] = answer
    with quipu.connect_sync(server.address) as client, pytest.raises(quipu.NotFound):
        next(client.watch())


async def test_closing_cancels_the_call(server: FakeServer) -> None:
    server.answers["WatchMemories"] = lambda _: holding(server, told(1, 1))
    async with quipu.connect(server.address, timeout=0.1) as client:
        watch = client.watch()
        await anext(watch)
        assert server.context.time_remaining() > 1e9
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()

        def end() -> None:
            loop.call_soon_threadsafe(ended.set)

        server.context.add_callback(end)
        await watch.close()
        await asyncio.wait_for(ended.wait(), 5)


def test_closing_the_client_ends_a_blocking_watch(server: FakeServer) -> None:
    server.answers["WatchMemories"] = lambda _: holding(server, told(1))
    client = quipu.connect_sync(server.address)
    threading.Timer(0.1, client.close).start()
    with pytest.raises(quipu.Cancelled):
        next(client.watch())


def test_closing_the_client_ends_the_wait_for_a_server(
    server: FakeServer, leaving: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quipu.waits.FIRST_WAIT_S", 60)
    monkeypatch.setattr("quipu.waits.LONGEST_WAIT_S", 60)
    client = quipu.connect_sync(server.address)
    watch = client.watch()
    next(watch)
    threading.Timer(0.1, client.close).start()
    with pytest.raises(quipu.Cancelled):
        next(watch)


async def test_the_async_client_ends_the_wait_too(leaving: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quipu.waits.FIRST_WAIT_S", 60)
    monkeypatch.setattr("quipu.waits.LONGEST_WAIT_S", 60)
    client = quipu.connect(leaving.address)
    watch = client.watch()
    await anext(watch)
    asyncio.get_running_loop().call_later(0.1, lambda: asyncio.ensure_future(client.close()))
    with pytest.raises(quipu.Cancelled):
        await anext(watch)


def test_waits_grow_to_a_bound_and_vary() -> None:
    from quipu.waits import LONGEST_WAIT_S, renewal_wait_s

    waits = [renewal_wait_s(failures) for failures in (0, 5, 20, 100_000)]
    assert all(0 < wait <= LONGEST_WAIT_S for wait in waits)
    assert renewal_wait_s(20) != renewal_wait_s(20)


@pytest.mark.parametrize(("argument", "given"), [("space", {"space": ""}), ("after", {"after": {"": 1}})])
def test_an_empty_name_is_refused(server: FakeServer, argument: str, given: dict[str, Any]) -> None:
    with (
        quipu.connect_sync(server.address) as client,
        pytest.raises(ValueError, match=f"{argument}: must not be empty"),
    ):
        client.watch(**given)
