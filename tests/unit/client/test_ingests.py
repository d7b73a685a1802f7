"""Streams of memories: outcomes, order, what is sent again."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import quipu
from quipu.v1.memory_service_pb2 import (
    IngestAcknowledgement,
    IngestedMemory,
    IngestMemoriesResponse,
    IngestRefusal,
    IngestState,
)
from tests.unit.fake_server import FakeServer, abort

STREAM = "6e8f3d0a-6d0b-4d7e-9d38-3a2f6e1f2b10"


@pytest.fixture(autouse=True)
def quick_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quipu.waits.FIRST_WAIT_S", 0.01)


class Keeper:
    """Acknowledges items one by one; refuses empty ones; goes away after some."""

    def __init__(self, server: FakeServer, leave_after: int | None = None) -> None:
        self.starts: list[Any] = []
        self.calls: list[list[int]] = []
        self._server = server
        self._leave_after = leave_after
        server.answers["IngestMemories"] = self._answer

    def _answer(self, requests: Iterator[Any]) -> Iterator[IngestMemoriesResponse]:
        self.starts.append(next(requests).start)
        offsets: list[int] = []
        self.calls.append(offsets)
        for number, request in enumerate(requests):
            if len(self.calls) == 1 and number == self._leave_after:
                abort(self._server, "UNAVAILABLE", "stopping")
            offsets.append(request.item.offset)
            yield IngestMemoriesResponse(acknowledgements=[acknowledge(request.item)])


def acknowledge(item: Any) -> IngestAcknowledgement:
    if not item.memory.content:
        refused = IngestRefusal(code=3, reason="INVALID_FIELD", message="is empty", field="memory.content")
        return IngestAcknowledgement(offset=item.offset, refused=refused)
    state = IngestState.INGEST_STATE_STORED if item.memory_id else IngestState.INGEST_STATE_SEARCHABLE
    name = f"spaces/a/memories/{item.memory_id or item.offset}"
    stored = IngestedMemory(name=name, revision=item.offset + 1, state=state)
    return IngestAcknowledgement(offset=item.offset, stored=stored)


def test_each_memory_has_an_outcome(server: FakeServer) -> None:
    keeper = Keeper(server)
    progress: list[int] = []
    notes: list[Any] = ["one", {"content": "", "id": "two"}, {"content": "three", "id": "x"}]
    with quipu.connect_sync(server.address, space="a") as client:
        first, second, third = client.ingest(notes, stream_id=STREAM, on_progress=progress.append)
    assert first == quipu.Outcome(0, "spaces/a/memories/0", 1, None, searchable=True)
    assert not third.searchable
    assert third.name == "spaces/a/memories/x"
    assert isinstance(second.error, quipu.InvalidArgument)
    assert second.error.field_violations[0].field == "memory.content"
    assert second.error.reason == "INVALID_FIELD"
    assert progress == [1, 2, 3]
    assert (keeper.starts[0].parent, keeper.starts[0].stream_id) == ("spaces/a", STREAM)


async def test_no_more_is_read_than_may_wait(server: FakeServer) -> None:
    Keeper(server)
    read = 0

    async def notes() -> AsyncIterator[str]:
        nonlocal read
        for read in range(1, 3_001):
            yield f"note {read}"

    async with quipu.connect(server.address) as client:
        outcomes = client.ingest(notes())
        told = 0
        async for outcome in outcomes:
            assert outcome.offset == told
            told += 1
            assert read <= told + 512
    assert told == 3_000


def test_what_was_not_acknowledged_is_sent_again(server: FakeServer) -> None:
    keeper = Keeper(server, leave_after=30)
    with quipu.connect_sync(server.address) as client:
        outcomes = client.ingest(map(str, range(100))).all()
    assert [outcome.offset for outcome in outcomes] == list(range(100))
    first, second = keeper.calls
    assert first + second == list(range(100))
    assert keeper.starts[0] == keeper.starts[1]


async def test_the_async_client_goes_on_too(server: FakeServer) -> None:
    keeper = Keeper(server, leave_after=30)
    async with quipu.connect(server.address) as client:
        outcomes = await client.ingest(map(str, range(100))).all()
    assert [outcome.offset for outcome in outcomes] == list(range(100))
    assert len(keeper.calls) == 2


def test_other_errors_end_it_and_name_the_stream(server: FakeServer) -> None:
    server.answers["IngestMemories"] = lambda _: abort(server, "NOT_FOUND", "gone")
    with quipu.connect_sync(server.address) as client, pytest.raises(quipu.NotFound) as raised:
        client.ingest(["x"], stream_id=STREAM).all()
    assert raised.value.request_id == STREAM
    assert STREAM in raised.value.__notes__[0]


def test_a_server_that_stays_away_is_unavailable() -> None:
    with quipu.connect_sync("127.0.0.1:1") as client, pytest.raises(quipu.Unavailable):
        client.ingest(["x"], timeout=0.05).all()


def test_an_error_of_the_source_is_raised_as_it_is(server: FakeServer) -> None:
    Keeper(server)

    def notes() -> Iterator[str]:
        yield "one"
        raise quipu.Unavailable("of the source")

    with quipu.connect_sync(server.address) as client, pytest.raises(quipu.Unavailable, match="of the source"):
        client.ingest(notes()).all()
