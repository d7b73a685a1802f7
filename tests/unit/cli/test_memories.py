"""The commands for single memories."""

import json
from typing import Any

import grpc
import pytest

from quipu import Memory, Redaction, RedactionKind, from_memory, metadata
from quipu_server.cli.lines import to_line
from tests.unit.cli.conftest import Notebook, Run

Output = pytest.CaptureFixture[str]


def test_put_stores_every_field_and_prints_the_id(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    code = quipu(
        *("put", "Ann likes tea", "--space", "a", "--id", "m1", "--kind", "semantic", "--role", "user"),
        *("--speaker", "Ann", "--session", "s1", "--tag", "tea", "--tag", "taste", "--importance", "0.8"),
        *("--meta", "cups=3", "--meta", "note=007", "--meta", "hot=true", "--event-time", "2024-05-08T13:56:00Z"),
    )
    assert (code, capsys.readouterr().out) == (0, "m1\n")
    (memory,) = notebook.memories
    stored = from_memory(memory)
    assert stored.pop("event_time").isoformat() == "2024-05-08T13:56:00+00:00"
    assert stored == {
        "id": "m1",
        "name": "spaces/a/memories/m1",
        "content": "Ann likes tea",
        "kind": "semantic",
        "role": "user",
        "speaker": "Ann",
        "session": "s1",
        "tags": ["tea", "taste"],
        "metadata": {"cups": 3.0, "hot": True, "note": "007"},
        "importance": 0.8,
    }


def test_put_and_update_show_what_was_redacted(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    redaction = Redaction(field="content", kind=RedactionKind.REDACTION_KIND_EMAIL, start=3, end=18)
    store = notebook.server.answers["CreateMemory"]

    def redact(request: Any) -> Any:
        response = store(request)
        response.memory.redactions.append(redaction)
        return response

    notebook.server.answers["CreateMemory"] = redact
    assert quipu("put", "to ann@example.org", "--id", "m1") == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("m1\n", "Redacted: email in content, characters 3 to 18\n")
    assert quipu("put", "to ann@example.org", "--id", "m1", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["redactions"] == [{"field": "content", "kind": "email", "start": 3, "end": 18}]
    assert "redactions" not in to_line(Memory(content="x", redactions=[redaction]))


def test_put_reads_the_text_from_standard_input(quipu: Run, notebook: Notebook) -> None:
    assert quipu("put", stdin="Grüße\nvon Ann\n".encode()) == 0
    assert quipu("put", "-", stdin=b"again") == 0
    assert notebook.contents == ["Grüße\nvon Ann", "again"]


def test_get_shows_a_memory(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    quipu("put", "Ann likes tea", "--id", "m1")
    assert quipu("get", "m1") == 0
    assert "Ann likes tea" in capsys.readouterr().out


def test_json_is_one_object_a_line(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    quipu("put", "one", "--id", "m1")
    quipu("put", "two", "--id", "m2", "--meta", 'when={"time": "2024-05-08T00:00:00Z"}')
    capsys.readouterr()
    assert quipu("ls", "--json") == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["id"], second["content"]) == ("m1", "two")
    assert second["metadata"] == {"when": {"time": "2024-05-08T00:00:00Z"}}


def test_text_cannot_steer_the_terminal(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    quipu("put", "\x1b]0;title\x07[bold]x")
    assert quipu("ls") == 0
    printed = capsys.readouterr().out
    assert "\x1b]0" not in printed
    assert "[bold]x" in printed


def test_update_changes_what_is_given(quipu: Run, notebook: Notebook) -> None:
    assert quipu("update", "m1", "new text", "--clear", "speaker", "--meta", "a=1", "--unset", "b") == 0
    (request,) = notebook.server.requests
    assert set(request.update_mask.paths) == {"content", "speaker", "metadata.a", "metadata.b"}
    assert metadata(request.memory) == {"a": 1.0}


def test_an_update_of_nothing_is_a_mistake(quipu: Run, capsys: Output) -> None:
    assert quipu("update", "m1") == 2
    assert "nothing to change" in capsys.readouterr().err


def test_rm_deletes_every_memory_named(quipu: Run, notebook: Notebook) -> None:
    for number in range(3):
        quipu("put", f"{number}", "--id", f"m{number}")
    assert quipu("rm", "m0", "m2") == 0
    assert notebook.contents == ["1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["put", "x", "--kind", "fact"], "'fact' is not one of"),
        (["put", "x", "--meta", "novalue"], "is not KEY=VALUE"),
        (["put", "x", "--event-time", "soon"], "is not a time"),
        (["search", "x", "-k", "0"], "not in the range"),
        (["nothing"], "No such command"),
    ],
)
def test_wrong_use_exits_with_two(quipu: Run, capsys: Output, arguments: list[str], message: str) -> None:
    assert quipu(*arguments) == 2
    assert message in capsys.readouterr().err


def test_an_error_of_the_service_is_one_line(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    notebook.server.answers["GetMemory"] = lambda _: notebook.server.context.abort(
        grpc.StatusCode.NOT_FOUND, "there is no memory 'm1'"
    )
    assert quipu("get", "m1") == 1
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", "Error: there is no memory 'm1'\n")


def test_a_value_that_cannot_be_stored_is_one_line(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    assert quipu("put", "x", "--meta", "n=9007199254740993") == 1
    assert capsys.readouterr().err.startswith("Error: metadata: 9007199254740993 cannot be stored exactly")


def test_a_missing_server_is_told(quipu: Run, capsys: Output) -> None:
    assert quipu("get", "m1", "--address", "127.0.0.1:1") == 1
    assert capsys.readouterr().err == (
        "Error: the server at 127.0.0.1:1 cannot be reached: Connection refused; is it running? "
        "`quipu serve` starts it\n"
    )
