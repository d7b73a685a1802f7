"""`quipu index describe`."""

import json
from datetime import UTC, datetime

import pytest

from quipu.v1.index_service_pb2 import (
    DescribeIndexResponse,
    IndexDescription,
    IndexSegment,
    IndexSegmentKind,
    IndexSnapshot,
    IndexState,
    RecallCheck,
)
from tests.unit.cli.conftest import Notebook, Run


@pytest.fixture
def description(notebook: Notebook) -> IndexDescription:
    """What the server says."""
    segments = [IndexSegment(kind=IndexSegmentKind.INDEX_SEGMENT_KIND_HNSW, rows=60_000, bytes=90_000_000)]
    found = IndexDescription(
        space="spaces/ann",
        state=IndexState.INDEX_STATE_HOT,
        segments=segments,
        delta_rows=12,
        bytes=123_456_789,
        revision=70_000,
        head_revision=70_001,
        memory_count=60_010,
        snapshot=IndexSnapshot(revision=69_000, bytes=80_000),
        recall_check=RecallCheck(sample_size=5, k=10, recall=0.98),
    )
    found.snapshot.create_time.FromDatetime(datetime(2024, 5, 1, tzinfo=UTC))
    notebook.server.answers["DescribeIndex"] = lambda _: DescribeIndexResponse(index=found)
    return found


def test_a_table_for_people(
    quipu: Run, notebook: Notebook, description: IndexDescription, capsys: pytest.CaptureFixture[str]
) -> None:
    assert quipu("index", "describe", "ann", "--recall", "5") == 0
    (request,) = notebook.server.requests
    assert (request.space, request.recall_sample) == ("spaces/ann", 5)
    shown = capsys.readouterr().out
    for part in (
        "hot",
        "60,010",
        "70,000 of 70,001",
        "123 MB",
        "12 rows",
        "69,000",
        "0.9800",
        "hnsw",
        "60,000",
        "90 MB",
    ):
        assert part in shown


def test_json_for_programs(quipu: Run, description: IndexDescription, capsys: pytest.CaptureFixture[str]) -> None:
    assert quipu("index", "describe", "ann", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "space": "ann",
        "state": "hot",
        "memory_count": 60_010,
        "revision": 70_000,
        "head_revision": 70_001,
        "bytes": 123_456_789,
        "delta_rows": 12,
        "segments": [{"kind": "hnsw", "rows": 60_000, "bytes": 90_000_000}],
        "snapshot": {"revision": 69_000, "create_time": "2024-05-01T00:00:00Z", "bytes": 80_000},
        "recall_check": {"sample_size": 5, "k": 10, "recall": 0.98},
    }


def test_a_cold_index_has_little_to_show(
    quipu: Run, description: IndexDescription, capsys: pytest.CaptureFixture[str]
) -> None:
    description.CopyFrom(IndexDescription(space="spaces/ann", state=IndexState.INDEX_STATE_COLD, head_revision=5))
    assert quipu("index", "describe", "ann") == 0
    shown = capsys.readouterr().out
    assert "cold" in shown
    assert "snapshot" not in shown
