"""`quipu sessions` and `quipu pack`."""

import json

import pytest

from quipu.v1.memory_pb2 import Memory, MemoryKind, Role
from quipu.v1.search_service_pb2 import Citation, LeftOut, PackContextResponse
from quipu.v1.session_pb2 import RoleCount, Session
from quipu.v1.session_service_pb2 import (
    AppendMessagesResponse,
    DeleteSessionResponse,
    EndSessionResponse,
    GetSessionResponse,
    GetWindowResponse,
    ListMessagesResponse,
    ListSessionsResponse,
    SessionState,
    UpdateSessionResponse,
)
from quipu.values import to_value
from tests.unit.cli.conftest import Notebook, Run

Output = pytest.CaptureFixture[str]

HELLO = Memory(name="spaces/a/memories/m1", content="Hello \x1b[2J", kind=MemoryKind.MEMORY_KIND_EPISODIC)
MONDAY = Session(
    name="spaces/a/sessions/monday",
    title="Pets",
    metadata={"n": to_value(1)},
    message_count=1_234,
    token_count=56_789,
    role_counts=[RoleCount(role=Role.ROLE_USER, count=1_234)],
    etag="2",
)


def test_sessions_are_listed(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    notebook.server.answers["ListSessions"] = lambda _: ListSessionsResponse(sessions=[MONDAY, MONDAY])
    assert quipu("sessions", "ls", "-s", "a", "--order-by", "activity", "--state", "open", "-n", "1") == 0
    printed = capsys.readouterr().out
    assert {"monday", "1,234", "56,789", "Pets"} <= set(printed.split())
    assert printed.count("monday") == 1
    (request,) = notebook.server.requests
    expected = ("spaces/a", "activity", SessionState.SESSION_STATE_OPEN)
    assert (request.parent, request.order_by, request.state) == expected


def test_a_session_as_json(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    notebook.server.answers["GetSession"] = lambda _: GetSessionResponse(session=MONDAY)
    assert quipu("sessions", "show", "monday", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["id"], shown["role_counts"], shown["metadata"]) == ("monday", {"user": 1234}, {"n": 1.0})
    assert quipu("sessions", "show", "monday") == 0
    assert "Pets" in capsys.readouterr().out


def test_messages_are_appended(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    notebook.server.answers["AppendMessages"] = lambda _: AppendMessagesResponse(messages=[HELLO])
    assert quipu("sessions", "append", "monday", "Hello", "--role", "user", "-s", "a") == 0
    assert capsys.readouterr().out == "m1\n"
    lines = b'{"content": "one", "id": "x"}\n{"content": "two", "role": "user"}\n'
    assert quipu("sessions", "append", "monday", "--lines", stdin=lines) == 0
    first, second = notebook.server.requests
    assert first.parent == "spaces/a/sessions/monday"
    assert [(m.memory.content, m.memory.role) for m in first.messages] == [("Hello", Role.ROLE_USER)]
    assert [(m.memory_id, m.memory.content) for m in second.messages] == [("x", "one"), ("", "two")]


def test_messages_and_windows_are_shown(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    notebook.server.answers["ListMessages"] = lambda _: ListMessagesResponse(messages=[HELLO])
    window = GetWindowResponse(messages=[HELLO], token_count=7, has_older=True)
    notebook.server.answers["GetWindow"] = lambda _: window
    assert quipu("sessions", "messages", "monday", "--newest-first") == 0
    printed = capsys.readouterr().out
    assert "Hello" in printed
    assert "\x1b" not in printed
    assert quipu("sessions", "window", "monday", "--max-tokens", "9", "--json") == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["id"] == "m1"
    assert shown.err == "1 messages, 7 tokens; there are older ones\n"
    listed, asked = notebook.server.requests
    assert listed.newest_first
    assert asked.max_tokens == 9


def test_a_session_is_changed_ended_and_deleted(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    notebook.server.answers["UpdateSession"] = lambda request: UpdateSessionResponse(session=request.session)
    notebook.server.answers["EndSession"] = lambda _: EndSessionResponse(session=MONDAY)
    notebook.server.answers["DeleteSession"] = lambda _: DeleteSessionResponse(deleted_message_count=3)
    assert quipu("sessions", "update", "monday", "--title", "T", "--meta", "n=1") == 0
    assert quipu("sessions", "end", "monday") == 0
    assert quipu("sessions", "rm", "monday") == 0
    assert capsys.readouterr().err == "3 messages were deleted\n"
    changed, *_ = notebook.server.requests
    assert set(changed.update_mask.paths) == {"title", "metadata"}
    assert changed.session.metadata["n"].number_value == 1


def test_a_pack_is_printed(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    made = PackContextResponse(text="[1] x", token_count=4, citations=[Citation(number=1)], left_out=[LeftOut()])
    notebook.server.answers["PackContext"] = lambda _: made
    assert quipu("pack", "tea", "-b", "100", "--session", "monday", "-s", "a", "-s", "b", "-k", "5") == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("[1] x\n", "1 memories, 4 tokens; 1 had no room\n")
    (request,) = notebook.server.requests
    assert (request.token_budget, request.session) == (100, "spaces/a/sessions/monday")
    assert (list(request.search.spaces), request.search.k) == (["spaces/a", "spaces/b"], 5)
    assert not request.search.HasField("expand_context")
    assert quipu("pack", "tea", "-b", "100", "--json") == 0
    assert json.loads(capsys.readouterr().out)["text"] == "[1] x"
