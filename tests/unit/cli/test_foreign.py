"""Importing what other services exported."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from quipu.v1.memory_pb2 import Memory
from tests.unit.cli.conftest import Notebook, Run

Output = pytest.CaptureFixture[str]

MEM0 = {
    "id": "9a6c4d1e-0000-4000-8000-000000000001",
    "memory": "Likes tea without sugar",
    "hash": "f00",
    "metadata": {"city": "Lisbon", "source": {"app": "web", "page": 3}, "empty": None},
    "score": None,
    "created_at": "2025-03-01T09:30:00-08:00",
    "updated_at": None,
    "expiration_date": "2030-01-31",
    "user_id": "ann",
    "run_id": "r7",
    "role": "user",
    "actor_id": "Ann",
    "categories": ["food"],
    "structured_attributes": {"day": 1},
}
MESSAGE = {
    "id": "m-1",
    "tenant_id": "acme",
    "conversation_id": "c9",
    "role": "assistant",
    "content": "The lamp is mended.",
    "metadata": {"channel": "mail"},
    "importance_score": 0.7,
    "embedding_status": "completed",
    "created_at": "2025-03-01T09:30:00",
    "archived": False,
}


def imported(quipu: Run, tmp_path: Path, service: str, text: str) -> int:
    file = tmp_path / "export"
    file.write_text(text, "utf-8")
    return quipu("import", str(file), "--from", service)


def plain(memory: Memory) -> dict[str, Any]:
    from quipu import from_memory

    found = from_memory(memory)
    return {key: value for key, value in found.items() if key not in ("name", "id")}


def test_memories_of_mem0(quipu: Run, notebook: Notebook, tmp_path: Path, capsys: Output) -> None:
    assert imported(quipu, tmp_path, "mem0", json.dumps({"results": [MEM0, {"id": "x", "memory": ""}]})) == 0
    [memory] = notebook.memories
    assert memory.name.endswith(f"/{MEM0['id']}")
    assert plain(memory) == {
        "content": "Likes tea without sugar",
        "kind": "semantic",
        "role": "user",
        "speaker": "Ann",
        "session": "r7",
        "tags": ["food"],
        "event_time": datetime(2025, 3, 1, 17, 30, tzinfo=UTC),
        "expire_time": datetime(2030, 1, 31, 23, 59, 59, 999999, tzinfo=UTC),
        "metadata": {"city": "Lisbon", "source.app": "web", "source.page": 3, "user_id": "ann"},
    }
    assert capsys.readouterr().out.splitlines() == [
        "2 records read, 1 stored",
        "1 skipped: no text",
        "1 lost structured_attributes, which has no place here",
        "1 times without a zone, taken as UTC",
        "1 values in metadata flattened",
    ]


@pytest.mark.parametrize("join", [json.dumps, lambda rows: "\n".join(map(json.dumps, rows))])
def test_messages_of_memorymesh(quipu: Run, notebook: Notebook, tmp_path: Path, capsys: Output, join: Any) -> None:
    assert imported(quipu, tmp_path, "memorymesh", join([MESSAGE, MESSAGE | {"id": "m-2", "archived": True}])) == 0
    [memory] = notebook.memories
    assert plain(memory) == {
        "content": "The lamp is mended.",
        "kind": "episodic",
        "role": "assistant",
        "session": "c9",
        "importance": 0.7,
        "event_time": datetime(2025, 3, 1, 9, 30, tzinfo=UTC),
        "metadata": {"channel": "mail", "tenant_id": "acme"},
    }
    assert "1 skipped: archived" in capsys.readouterr().out


def test_a_payload_of_a_vector_store(quipu: Run, notebook: Notebook, tmp_path: Path) -> None:
    payload = {"data": "How to bake", "memory_type": "procedural_memory", "created_at": "2025-03-01T09:30:00+00:00"}
    assert imported(quipu, tmp_path, "mem0", json.dumps(payload)) == 0
    assert plain(notebook.memories[0])["kind"] == "procedural"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting value"),
        ("[1]", "the file must hold a list of objects"),
        ('[{"memory": "x"}, {"memory": "x", "created_at": "tomorrow"}]', "record 2: Invalid isoformat string"),
        ('[{"memory": "x"}, {"memory": "x", "role": "king"}]', "record 2: role: "),
        ('[{"memory": "x", "metadata": 5}]', "record 1: "),
        ('[{"memory": "x"}\n', "Expecting"),
    ],
)
def test_what_cannot_be_read_is_named(
    quipu: Run, notebook: Notebook, tmp_path: Path, capsys: Output, text: str, message: str
) -> None:
    assert imported(quipu, tmp_path, "mem0", text) == 1
    assert f"Error: {message}" in capsys.readouterr().err
    assert notebook.memories == []


def test_a_second_run_stores_nothing_again(quipu: Run, notebook: Notebook, tmp_path: Path) -> None:
    rows = json.dumps([{"memory": f"fact {number}"} for number in range(250)])
    assert [imported(quipu, tmp_path, "mem0", rows) for _ in range(2)] == [0, 0]
    assert len(notebook.memories) == 250
