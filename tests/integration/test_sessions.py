"""Sessions as a user of the API sees them: appending, reading, windows, ending, deleting."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import StatusCode

from quipu.v1.embedding_service_pb2 import CountTokensRequest
from quipu.v1.memory_pb2 import Memory, MemoryKind, Role
from quipu.v1.memory_service_pb2 import (
    DeleteMemoryRequest,
    GetMemoryRequest,
    IngestItem,
    IngestMemoriesRequest,
    IngestStart,
    UpdateMemoryRequest,
)
from quipu.v1.session_pb2 import Session
from quipu.v1.session_service_pb2 import (
    AppendMessagesRequest,
    AppendMessagesResponse,
    DeleteSessionRequest,
    EndSessionRequest,
    GetSessionRequest,
    GetWindowRequest,
    GetWindowResponse,
    ListMessagesRequest,
    ListSessionsRequest,
    NewMessage,
    SessionState,
    UpdateSessionRequest,
)
from quipu.v1.value_pb2 import Value, Vector
from tests.integration.api import Api, refusal, same

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLIENTS = 16
CALLS = 6
BATCH = 3


def at(hour: int) -> Timestamp:
    time = Timestamp()
    time.FromDatetime(datetime(2024, 5, 1, hour, tzinfo=UTC))
    return time


def request(parent: str, *contents: str, request_id: str = "", **fields: Any) -> AppendMessagesRequest:
    messages = [NewMessage(memory=Memory(content=content, **fields)) for content in contents]
    return AppendMessagesRequest(parent=parent, messages=messages, request_id=request_id)


async def append(api: Api, session: str, *contents: str, **fields: Any) -> AppendMessagesResponse:
    return await api.sessions.AppendMessages(request(session, *contents, **fields))


async def get(api: Api, session: str) -> Session:
    return (await api.sessions.GetSession(GetSessionRequest(name=session))).session


async def contents(api: Api, session: str, *, newest_first: bool = False, page_size: int = 1_000) -> list[str]:
    """All messages of a session, page by page."""
    asked = ListMessagesRequest(parent=session, newest_first=newest_first, page_size=page_size)
    found: list[str] = []
    while True:
        page = await api.sessions.ListMessages(asked)
        found += [message.content for message in page.messages]
        if not page.next_page_token:
            return found
        asked.page_token = page.next_page_token


async def window(api: Api, session: str, **budget: int) -> GetWindowResponse:
    return await api.sessions.GetWindow(GetWindowRequest(name=session, **budget))


async def listed(api: Api, space: str, **fields: Any) -> list[str]:
    asked = ListSessionsRequest(parent=space, **fields)
    found: list[str] = []
    while True:
        page = await api.sessions.ListSessions(asked)
        found += [session.name.rpartition("/")[2] for session in page.sessions]
        if not page.next_page_token:
            return found
        asked.page_token = page.next_page_token


@pytest.fixture
def session(space: str) -> str:
    return f"{space}/sessions/s1"


async def test_messages_are_memories_of_their_session(either: Api, session: str) -> None:
    answer = await append(either, session, "Hello!", "Hi.", role=Role.ROLE_USER, speaker="Ann", tags=["t"])
    first, second = answer.messages
    assert (first.content, second.content) == ("Hello!", "Hi.")
    assert (first.session, first.kind, first.role) == ("s1", MemoryKind.MEMORY_KIND_EPISODIC, Role.ROLE_USER)
    assert second.revision == first.revision + 1 == answer.revision
    found = await either.memories.GetMemory(GetMemoryRequest(name=first.name))
    assert same(found.memory, first)
    space = session.partition("/sessions/")[0]
    assert (await either.search(space, text="hello", k=1)).ids == [first.name.rpartition("/")[2]]


async def test_statistics_are_those_of_the_live_messages(either: Api, space: str, session: str) -> None:
    await append(either, session, "one two three", role=Role.ROLE_USER, event_time=at(9))
    await append(either, session, "four five", role=Role.ROLE_ASSISTANT, event_time=at(8))
    await either.create(space, "six", session="s1")
    await either.create(space, "a fact", session="s1", kind=MemoryKind.MEMORY_KIND_SEMANTIC)
    await either.create(space, "elsewhere", session="s2")
    gone = await append(either, session, "seven eight nine ten")
    await either.memories.DeleteMemory(DeleteMemoryRequest(name=gone.messages[0].name))
    found = await get(either, session)
    assert (found.message_count, found.token_count) == (3, 6)
    roles = {count.role: count.count for count in found.role_counts}
    assert roles == {Role.ROLE_UNSPECIFIED: 1, Role.ROLE_USER: 1, Role.ROLE_ASSISTANT: 1}
    assert found.first_message_time == at(8)
    assert found.last_message_time.ToDatetime(UTC) > datetime(2025, 1, 1, tzinfo=UTC)
    assert not found.HasField("end_time")


async def test_tokens_of_messages_with_vectors_are_counted_when_they_are_asked_for(api: Api, session: str) -> None:
    await append(api, session, "one two three", vector=Vector(values=[1.0] * 384))
    assert (await get(api, session)).token_count == 3
    assert (await window(api, session, max_tokens=3)).token_counts == [3]


async def test_messages_are_listed_in_both_directions(either: Api, session: str) -> None:
    said = [f"message {i}" for i in range(25)]
    for start in range(0, 25, 5):
        await append(either, session, *said[start : start + 5])
    assert await contents(either, session, page_size=7) == said
    assert await contents(either, session, newest_first=True, page_size=7) == said[::-1]


async def test_pages_show_the_session_as_it_was_on_the_first(api: Api, session: str) -> None:
    made = await append(api, session, *[f"message {i}" for i in range(6)])
    first = await api.sessions.ListMessages(ListMessagesRequest(parent=session, page_size=3))
    await append(api, session, "later")
    changed = Memory(name=made.messages[4].name, content="changed")
    await api.memories.UpdateMemory(UpdateMemoryRequest(memory=changed))
    asked = ListMessagesRequest(parent=session, page_size=3, page_token=first.next_page_token)
    second = await api.sessions.ListMessages(asked)
    assert [message.content for message in second.messages] == ["message 3", "message 4", "message 5"]
    assert not second.next_page_token
    expected = [f"message {i}" if i != 4 else "changed" for i in range(6)]
    assert await contents(api, session) == [*expected, "later"]


async def test_an_append_has_one_effect(either: Api, session: str) -> None:
    asked = request(session, "once", "only", request_id=str(uuid4()))
    answers = [await either.sessions.AppendMessages(asked) for _ in range(3)]
    assert same(answers[0], answers[1])
    assert same(answers[0], answers[2])
    assert await contents(either, session) == ["once", "only"]
    other = request(session, "another", request_id=asked.request_id)
    assert (await refusal(either.sessions.AppendMessages(other))).reason == "REQUEST_ID_REUSED"


async def test_many_clients_append_to_one_session(api: Api, replica: Api, space: str, session: str) -> None:
    """Every batch is whole, in its order, and sent twice; both servers show one order without gap or repetition."""

    async def talk(client: int) -> None:
        server = (api, replica)[client % 2]
        for call in range(CALLS):
            said = [f"{client} {call} {place}" for place in range(BATCH)]
            asked = request(session, *said, request_id=str(uuid4()))
            await asyncio.gather(
                server.sessions.AppendMessages(asked), (api, replica)[call % 2].sessions.AppendMessages(asked)
            )

    await asyncio.gather(*(talk(client) for client in range(CLIENTS)))
    order = await contents(api, session, page_size=13)
    assert order == await contents(replica, session) == (await contents(replica, session, newest_first=True))[::-1]
    expected = {f"{i} {j} {k}" for i in range(CLIENTS) for j in range(CALLS) for k in range(BATCH)}
    assert len(order) == len(expected)
    assert set(order) == expected
    for start in range(0, len(order), BATCH):
        who, when, _ = order[start].split()
        assert order[start : start + BATCH] == [f"{who} {when} {place}" for place in range(BATCH)]
    for client in range(CLIENTS):
        calls = [int(said.split()[1]) for said in order if said.startswith(f"{client} ")]
        assert calls == sorted(calls)


async def test_a_window_is_the_newest_messages_in_reading_order(either: Api, session: str) -> None:
    said = [f"message {i}" for i in range(130)]
    await append(either, session, *said)
    for most in (1, 7, 101, 130, 1_000):
        found = await window(either, session, max_messages=most)
        assert [message.content for message in found.messages] == said[-most:]
        assert found.has_older == (most < 130)
    everything = await window(either, session, max_tokens=1_000_000)
    assert [message.content for message in everything.messages] == said


async def test_a_window_by_tokens_never_cuts_a_message(either: Api, session: str) -> None:
    said = ["one", "two two", "three three three", "four four four four", "five five five five five"]
    await append(either, session, *said)
    counted = await either.embeddings.CountTokens(CountTokensRequest(texts=said))
    for budget in range(1, 20):
        found = await window(either, session, max_tokens=budget)
        kept = len(found.messages)
        assert [message.content for message in found.messages] == (said[-kept:] if kept else [])
        assert list(found.token_counts) == list(counted.token_counts)[5 - kept :]
        assert found.token_count == sum(found.token_counts) <= budget
        if kept < 5:
            assert found.has_older
            assert found.token_count + counted.token_counts[4 - kept] > budget
    assert len((await window(either, session, max_tokens=100, max_messages=2)).messages) == 2


async def test_what_has_ended_takes_no_more(api: Api, replica: Api, space: str, session: str) -> None:
    made = await append(api, session, "first")
    ended = (await replica.sessions.EndSession(EndSessionRequest(name=session))).session
    again = (await api.sessions.EndSession(EndSessionRequest(name=session))).session
    assert ended.end_time == again.end_time
    assert ended.etag == again.etag
    calls = [append(api, session, "late"), replica.create(space, "late", session="s1")]
    for call in calls:
        refused = await refusal(call)
        assert (refused.code, refused.reason) == (StatusCode.FAILED_PRECONDITION, "SESSION_ENDED")
        assert refused.metadata["name"] == session
    await api.create(space, "a fact of it", session="s1", kind=MemoryKind.MEMORY_KIND_SEMANTIC)
    changed = Memory(name=made.messages[0].name, content="changed")
    await api.memories.UpdateMemory(UpdateMemoryRequest(memory=changed))
    assert await contents(api, session) == ["changed"]


async def test_of_a_stream_only_messages_for_an_ended_session_are_refused(api: Api, space: str, session: str) -> None:
    await append(api, session, "first")
    await api.sessions.EndSession(EndSessionRequest(name=session))
    items = [Memory(content=f"{i}", session="s1" if i % 2 else "s2") for i in range(6)]
    start = IngestMemoriesRequest(start=IngestStart(parent=space, stream_id=str(uuid4())))
    requests = [IngestMemoriesRequest(item=IngestItem(offset=i, memory=each)) for i, each in enumerate(items)]
    told: dict[int, str | None] = {}
    async for response in api.memories.IngestMemories(iter([start, *requests])):
        told |= {each.offset: each.WhichOneof("outcome") for each in response.acknowledgements}
    assert [told[i] for i in range(6)] == ["stored", "refused"] * 3
    assert await contents(api, f"{space}/sessions/s2") == ["0", "2", "4"]


async def test_an_end_lets_through_what_came_before_it_only(api: Api, replica: Api, session: str) -> None:
    await append(api, session, "begin")

    async def talk(server: Api) -> Sequence[str]:
        stored: list[str] = []
        for _ in range(50):
            content = uuid4().hex
            try:
                await append(server, session, content)
            except Exception:
                return stored
            stored.append(content)
        return stored

    talks = asyncio.gather(*(talk(server) for server in (api, replica) * 4))
    await asyncio.sleep(0.1)
    await api.sessions.EndSession(EndSessionRequest(name=session))
    at_end = await contents(api, session)
    stored = [content for each in await talks for content in each]
    assert await contents(replica, session) == at_end
    assert {*at_end} == {"begin", *stored}


async def test_settings_of_a_session(either: Api, session: str) -> None:
    missing = UpdateSessionRequest(session=Session(name=session, title="x"))
    await either.create(session.partition("/sessions/")[0], "not of a session")
    assert (await refusal(either.sessions.UpdateSession(missing))).reason == "SESSION_NOT_FOUND"
    await append(either, session, "hello")
    old = await get(either, session)
    metadata = {"topic": Value(string_value="tea")}
    changes = Session(name=session, title="Tea", summary="They drink tea.", metadata=metadata, etag=old.etag)
    new = (await either.sessions.UpdateSession(UpdateSessionRequest(session=changes))).session
    assert (new.title, new.summary, dict(new.metadata)) == ("Tea", "They drink tea.", metadata)
    assert new.message_count == 1
    stale = await refusal(either.sessions.UpdateSession(UpdateSessionRequest(session=changes)))
    assert (stale.code, stale.reason, stale.metadata["etag"]) == (StatusCode.ABORTED, "ETAG_MISMATCH", new.etag)
    cleared = UpdateSessionRequest(session=Session(name=session), update_mask=FieldMask(paths=["title", "metadata"]))
    last = (await either.sessions.UpdateSession(cleared)).session
    assert (last.title, last.summary, dict(last.metadata)) == ("", "They drink tea.", {})


async def test_an_update_of_a_session_has_one_effect(api: Api, session: str) -> None:
    await append(api, session, "hello")
    asked = UpdateSessionRequest(session=Session(name=session, title="first"), request_id=str(uuid4()))
    await api.sessions.UpdateSession(asked)
    await api.sessions.UpdateSession(UpdateSessionRequest(session=Session(name=session, title="second")))
    assert (await api.sessions.UpdateSession(asked)).session.title == "second"


async def test_sessions_are_listed(either: Api, space: str) -> None:
    for name in ("b", "a", "c", "d"):
        await append(either, f"{space}/sessions/{name}", name)
    await append(either, f"{space}/sessions/a", "again")
    await either.create(space, "no session")
    for name in ("b", "d"):
        await either.sessions.EndSession(EndSessionRequest(name=f"{space}/sessions/{name}"))
    assert await listed(either, space, page_size=3) == ["a", "b", "c", "d"]
    assert await listed(either, space, order_by="activity", page_size=1) == ["a", "d", "c", "b"]
    assert await listed(either, space, state=SessionState.SESSION_STATE_OPEN) == ["a", "c"]
    assert await listed(either, space, state=SessionState.SESSION_STATE_ENDED, order_by="activity") == ["d", "b"]


async def test_a_session_is_deleted_with_its_messages(api: Api, replica: Api, space: str, session: str) -> None:
    made = await append(api, session, "tea one", "tea two")
    await append(api, f"{space}/sessions/s2", "tea three")
    await api.sessions.EndSession(EndSessionRequest(name=session))
    asked = DeleteSessionRequest(name=session, request_id=str(uuid4()))
    answers = [await server.sessions.DeleteSession(asked) for server in (api, replica, api)]
    assert [(answer.deleted_message_count, answer.revision) for answer in answers] == [(2, 5)] * 3
    for server in (api, replica):
        assert (await refusal(get(server, session))).reason == "SESSION_NOT_FOUND"
        assert len((await server.search(space, text="tea")).hits) == 1
        assert await listed(server, space) == ["s2"]
    assert (await refusal(api.sessions.DeleteSession(DeleteSessionRequest(name=session)))).code is StatusCode.NOT_FOUND
    history = GetMemoryRequest(name=made.messages[0].name, revision=2)
    assert (await api.memories.GetMemory(history)).memory.content == "tea one"
    await append(api, session, "anew")
    assert await contents(replica, session) == ["anew"]


BAD: list[tuple[str, Any, str]] = [
    ("AppendMessages", AppendMessagesRequest(parent="spaces/a"), "parent"),
    ("AppendMessages", AppendMessagesRequest(parent="spaces/a/sessions/s"), "messages"),
    ("AppendMessages", request("spaces/a/sessions/s", ""), "messages[0].memory.content"),
    ("AppendMessages", request("spaces/a/sessions/s", "x", session="t"), "messages[0].memory.session"),
    (
        "AppendMessages",
        request("spaces/a/sessions/s", "x", kind=MemoryKind.MEMORY_KIND_PROFILE),
        "messages[0].memory.kind",
    ),
    ("AppendMessages", request("spaces/a/sessions/s", "x", importance=2), "messages[0].memory.importance"),
    ("AppendMessages", request("spaces/a/sessions/s", *["x"] * 501), "messages"),
    ("AppendMessages", request("spaces/a/sessions/s", "x", request_id="1"), "request_id"),
    ("GetSession", GetSessionRequest(name="spaces/a/sessions/"), "name"),
    ("GetSession", GetSessionRequest(name="spaces/a/memories/m"), "name"),
    ("ListSessions", ListSessionsRequest(parent="a"), "parent"),
    ("ListSessions", ListSessionsRequest(parent="spaces/a", order_by="time"), "order_by"),
    ("ListSessions", ListSessionsRequest(parent="spaces/a", state=7), "state"),  # type: ignore[arg-type]
    ("ListSessions", ListSessionsRequest(parent="spaces/a", page_size=-1), "page_size"),
    ("ListSessions", ListSessionsRequest(parent="spaces/a", page_token="x"), "page_token"),
    ("ListMessages", ListMessagesRequest(parent="spaces/a"), "parent"),
    ("ListMessages", ListMessagesRequest(parent="spaces/a/sessions/s", page_token="eA"), "page_token"),
    ("GetWindow", GetWindowRequest(name="spaces/a/sessions/s"), "max_messages"),
    ("GetWindow", GetWindowRequest(name="spaces/a/sessions/s", max_messages=1_001), "max_messages"),
    ("GetWindow", GetWindowRequest(name="spaces/a/sessions/s", max_tokens=-1), "max_tokens"),
    ("UpdateSession", UpdateSessionRequest(session=Session(name="s")), "session.name"),
    (
        "UpdateSession",
        UpdateSessionRequest(session=Session(name="spaces/a/sessions/s", title="x" * 257)),
        "session.title",
    ),
    (
        "UpdateSession",
        UpdateSessionRequest(session=Session(name="spaces/a/sessions/s"), update_mask=FieldMask(paths=["etag"])),
        "update_mask.paths[0]",
    ),
    ("EndSession", EndSessionRequest(name="spaces//sessions/s"), "name"),
    ("DeleteSession", DeleteSessionRequest(name="spaces/a/sessions/s", request_id="x"), "request_id"),
]


@pytest.mark.parametrize(("method", "asked", "field"), BAD, ids=[f"{name} {field}" for name, _, field in BAD])
async def test_bad_input_is_refused_by_field(api: Api, method: str, asked: Any, field: str) -> None:
    refused = await refusal(getattr(api.sessions, method)(asked))
    assert (refused.code, refused.fields) == (StatusCode.INVALID_ARGUMENT, (field,))


@pytest.mark.parametrize("method", ["GetSession", "ListMessages", "GetWindow", "EndSession", "DeleteSession"])
async def test_what_is_not_there(api: Api, space: str, method: str) -> None:
    asked = {
        "GetSession": GetSessionRequest(name=f"{space}/sessions/s"),
        "ListMessages": ListMessagesRequest(parent=f"{space}/sessions/s"),
        "GetWindow": GetWindowRequest(name=f"{space}/sessions/s", max_messages=1),
        "EndSession": EndSessionRequest(name=f"{space}/sessions/s"),
        "DeleteSession": DeleteSessionRequest(name=f"{space}/sessions/s"),
    }[method]
    assert (await refusal(getattr(api.sessions, method)(asked))).reason == "SPACE_NOT_FOUND"
    await api.create(space, "no message")
    assert (await refusal(getattr(api.sessions, method)(asked))).reason == "SESSION_NOT_FOUND"
