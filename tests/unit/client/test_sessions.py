"""Calls about sessions, and what comes with hits."""

import pytest

import quipu
from quipu.v1.search_service_pb2 import (
    ContextEntry,
    PackContextResponse,
    SearchContext,
    SearchResponse,
)
from quipu.v1.session_service_pb2 import (
    AppendMessagesResponse,
    ListMessagesResponse,
    UpdateSessionResponse,
)
from tests.unit.fake_server import FakeServer


async def test_messages_are_appended_to_the_session_of_a_space(server: FakeServer) -> None:
    memory = quipu.Memory(name="spaces/a/memories/m", content="x")
    server.answers["AppendMessages"] = lambda _: AppendMessagesResponse(messages=[memory], revision=7)
    async with quipu.connect(server.address, space="a") as client:
        assert await client.append("s", ["hi", {"content": "ho", "id": "m", "role": "user"}]) == [memory]
        await client.append("spaces/b/sessions/s", [])
    first, second = server.requests
    assert (first.parent, second.parent) == ("spaces/a/sessions/s", "spaces/b/sessions/s")
    assert [(m.memory_id, m.memory.content) for m in first.messages] == [("", "hi"), ("m", "ho")]
    assert first.request_id != second.request_id


def test_one_text_is_no_list_of_messages(server: FakeServer) -> None:
    with quipu.connect_sync(server.address) as client:
        with pytest.raises(TypeError, match="messages: "):
            client.append("s", "text")
        with pytest.raises(ValueError, match="session: must not be empty"):
            client.get_session("")
    assert not server.requests


def test_messages_are_listed_over_pages(server: FakeServer) -> None:
    server.answers["ListMessages"] = lambda request: ListMessagesResponse(
        messages=[quipu.Memory(content=request.page_token or "a")], next_page_token="" if request.page_token else "b"
    )
    with quipu.connect_sync(server.address) as client:
        assert [memory.content for memory in client.messages("s", newest_first=True)] == ["a", "b"]
    assert all(request.newest_first for request in server.requests)


def test_an_update_names_what_it_was_given(server: FakeServer) -> None:
    server.answers["UpdateSession"] = lambda request: UpdateSessionResponse(session=request.session)
    with quipu.connect_sync(server.address) as client:
        client.update_session("s", title="T", summary=None, metadata={"n": 1, "gone": None})
    (request,) = server.requests
    assert set(request.update_mask.paths) == {"title", "summary", "metadata"}
    assert dict(request.session.metadata) == {"n": quipu.to_value(1)}


def test_hits_in_their_context(server: FakeServer) -> None:
    hits = [quipu.Hit(memory=quipu.Memory(content=f"hit {i}")) for i in range(2)]
    entries = [ContextEntry(memory=quipu.Memory(content="before")), ContextEntry(hit=1), ContextEntry(hit=0)]
    run = SearchContext(session="spaces/a/sessions/s", entries=entries)
    server.answers["Search"] = lambda _: iter(
        [SearchResponse(hits=hits), SearchResponse(contexts=[run], summary=quipu.SearchSummary())]
    )
    with quipu.connect_sync(server.address) as client:
        found = client.search("x", expand_context=1)
        with pytest.raises(RuntimeError):
            _ = found.contexts
        assert [hit.memory.content for hit in found] == ["hit 0", "hit 1"]
        (part,) = found.contexts
    assert [(m.memory.content, m.hit is not None) for m in part.messages] == [
        ("before", False),
        ("hit 1", True),
        ("hit 0", True),
    ]


async def test_a_pack_asks_for_what_it_was_given(server: FakeServer) -> None:
    server.answers["PackContext"] = lambda _: PackContextResponse(text="[1] x")
    async with quipu.connect(server.address) as client:
        made = await client.pack("x", token_budget=9, session="s", space=["a", "b"], window_tokens=0, model="m")
        assert made.text == "[1] x"
    (request,) = server.requests
    assert (request.session, request.model, list(request.search.spaces)) == (
        "spaces/a/sessions/s",
        "models/m",
        ["spaces/a", "spaces/b"],
    )
    assert request.HasField("window_tokens")
    assert not request.search.HasField("k")
