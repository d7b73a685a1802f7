"""Import and export."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.rpc.error_details_pb2 import BadRequest

from tests.unit.cli.conftest import Notebook, Run
from tests.unit.fake_server import abort

Output = pytest.CaptureFixture[str]


def write(path: Path, *documents: dict[str, Any]) -> str:
    path.write_text("".join(json.dumps(document) + "\n" for document in documents), "utf-8")
    return str(path)


def numbered(count: int) -> list[dict[str, Any]]:
    return [{"content": f"{number}"} for number in range(count)]


def test_what_is_exported_can_be_imported(quipu: Run, notebook: Notebook, tmp_path: Path) -> None:
    document = {
        "id": "m1",
        "content": "Grüße \U0001f422",
        "kind": "profile",
        "role": "user",
        "speaker": "Ann",
        "session": "s1",
        "tags": ["a"],
        "metadata": {"n": 1.5, "list": ["x", {"time": "2024-05-08T00:00:00Z"}], "flag": False},
        "importance": 0.0,
        "event_time": "2024-05-08T13:56:00.250000Z",
    }
    assert quipu("import", write(tmp_path / "in.jsonl", document)) == 0
    assert quipu("export", str(tmp_path / "out.jsonl")) == 0
    assert json.loads((tmp_path / "out.jsonl").read_text("utf-8")) == document


def test_lines_keep_their_order_when_one_batch_goes_at_a_time(quipu: Run, notebook: Notebook, tmp_path: Path) -> None:
    assert quipu("import", write(tmp_path / "in.jsonl", *numbered(250)), "--parallel", "1") == 0
    assert notebook.contents == [f"{number}" for number in range(250)]


def test_a_second_run_stores_nothing_again(quipu: Run, notebook: Notebook, tmp_path: Path) -> None:
    file = write(tmp_path / "in.jsonl", *numbered(250))
    assert [quipu("import", file), quipu("import", file)] == [0, 0]
    assert sorted(notebook.contents, key=int) == [f"{number}" for number in range(250)]


def test_equal_lines_are_all_stored(quipu: Run, notebook: Notebook, tmp_path: Path) -> None:
    assert quipu("import", write(tmp_path / "in.jsonl", *[{"content": "same"}] * 250)) == 0
    assert notebook.contents == ["same"] * 250


def test_an_interrupted_import_goes_on(quipu: Run, notebook: Notebook, tmp_path: Path, capsys: Output) -> None:
    file = write(tmp_path / "in.jsonl", *numbered(450))
    notebook.server.answers["BatchCreateMemories"] = lambda request: (
        notebook.store_batch(request) if len(notebook.answered) < 2 else abort(notebook.server, "UNIMPLEMENTED", "gone")
    )
    assert quipu("import", file) == 1
    notebook.server.answers["BatchCreateMemories"] = notebook.store_batch
    assert quipu("import", file) == 0
    assert sorted(notebook.contents, key=int) == [f"{number}" for number in range(450)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "line 2: Expecting property name"),
        (b"[]", "line 2: a line must be a JSON object"),
        (b'{"id": "x"}', "line 2: content: is missing"),
        (b'{"content": 5}', "line 2: content: must be text"),
        (b'{"content": "x", "colour": "red"}', "line 2: 'colour' is not a field"),
        (b'{"content": "x", "event_time": "2024-05-08"}', "line 2: event_time: '2024-05-08' has no time zone"),
        (b'{"content": "x", "event_time": 5}', "line 2: event_time: needs a datetime, not int"),
        (b'{"content": "x", "tags": "a"}', "line 2: tags: needs a list"),
        (b'{"content": "x", "metadata": []}', "line 2: metadata: needs a mapping"),
        (b'{"content": "x", "metadata": {"a": {"b": 1}}}', "line 2: metadata: metadata can hold"),
        (b'{"content": "x", "importance": NaN}', "line 2: NaN is not a number of JSON"),
        (b'{"content": "\\ud800"}', "line 2: 'utf-8' codec"),
        (b'{"content": "\xff"}', "line 2: 'utf-8' codec"),
        (b"[" * 100_000, "line 2: maximum recursion depth exceeded"),
    ],
)
def test_a_bad_line_is_named(quipu: Run, notebook: Notebook, capsys: Output, line: bytes, message: str) -> None:
    assert quipu("import", "-", stdin=b'{"content": "good"}\n' + line + b"\n") == 1
    assert f"Error: {message}" in capsys.readouterr().err
    assert notebook.memories == []


def test_what_the_server_refuses_is_named_by_its_line(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    violation = BadRequest.FieldViolation(field="requests[1].memory.importance", description="is 7")
    notebook.server.answers["BatchCreateMemories"] = lambda _: abort(
        notebook.server, "INVALID_ARGUMENT", "no", BadRequest(field_violations=[violation])
    )
    assert quipu("import", "-", stdin=b'{"content": "a"}\n\n{"content": "b", "importance": 7}\n') == 1
    assert "Error: line 3: importance: is 7\n" in capsys.readouterr().err


def test_what_only_the_server_sets_is_ignored(quipu: Run, notebook: Notebook) -> None:
    line = b'{"content": "a", "etag": "e", "revision": 3, "create_time": "2024-05-08T00:00:00Z", "name": "spaces/b/x"}'
    assert quipu("import", "-", stdin=line) == 0
    assert notebook.memories[0].etag == ""


def test_the_sample_can_be_imported(quipu: Run, notebook: Notebook) -> None:
    assert quipu("import", "--sample", "--space", "expedition") == 0
    assert len(notebook.memories) > 50
    assert {memory.name.split("/")[1] for memory in notebook.memories} == {"expedition"}


def test_a_file_is_needed(quipu: Run, capsys: Output) -> None:
    assert quipu("import") == 2
    assert quipu("import", "/nonexistent.jsonl") == 2


def test_an_export_that_fails_leaves_no_file(quipu: Run, notebook: Notebook, tmp_path: Path) -> None:
    notebook.server.answers["ListMemories"] = lambda _: abort(notebook.server, "INTERNAL", "defect")
    assert quipu("export", str(tmp_path / "out.jsonl")) == 1
    assert not (tmp_path / "out.jsonl").exists()


def test_an_importance_that_nobody_gave_is_not_exported(quipu: Run, notebook: Notebook, tmp_path: Path) -> None:
    assert quipu("import", write(tmp_path / "in.jsonl", {"id": "m1", "content": "x", "importance": 0.5})) == 0
    assert quipu("export", str(tmp_path / "out.jsonl")) == 0
    assert "importance" not in json.loads((tmp_path / "out.jsonl").read_text("utf-8"))
