"""`quipu retention`."""

import json
from datetime import timedelta
from typing import Any

import pytest

from quipu.v1.memory_pb2 import MemoryKind
from quipu.v1.retention_policy_pb2 import RETENTION_ACTION_ARCHIVE, RETENTION_ACTION_DELETE, RetentionPolicy
from quipu.v1.retention_service_pb2 import (
    CreateRetentionPolicyResponse,
    DeleteRetentionPolicyResponse,
    ListRetentionPoliciesResponse,
    RetentionCount,
    RetentionDecision,
    RetentionProgress,
    RetentionSummary,
    RunRetentionResponse,
    UpdateRetentionPolicyResponse,
)
from quipu.values import to_duration
from quipu_server.cli.durations import duration, write_duration
from tests.unit.cli.conftest import Notebook, Run
from tests.unit.fake_server import abort

Output = pytest.CaptureFixture[str]

POLICY = RetentionPolicy(
    name="spaces/-/retentionPolicies/old",
    action=RETENTION_ACTION_DELETE,
    priority=1_000,
    older_than=to_duration(timedelta(days=30)),
    kinds=[MemoryKind.MEMORY_KIND_WORKING, MemoryKind.MEMORY_KIND_TOOL_RESULT],
    tags=["a"],
    disabled=True,
    etag="7",
)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30d", timedelta(days=30)),
        ("1d12h", timedelta(days=1, hours=12)),
        ("90m", timedelta(minutes=90)),
        ("1.5s", timedelta(seconds=1.5)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_spans_of_time(text: str, length: timedelta) -> None:
    assert duration(text) == length
    assert duration(write_duration(length)) == length


def test_a_span_that_is_none_is_told(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    for wrong in ("30", "d", "30 days", "-1d", "99999999999d"):
        assert quipu("retention", "set", "old", f"--older-than={wrong}") == 2
        assert "--older-than" in capsys.readouterr().err
    assert notebook.server.requests == []


def test_policies_are_listed(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    notebook.server.answers["ListRetentionPolicies"] = lambda _: ListRetentionPoliciesResponse(
        retention_policies=[POLICY]
    )
    assert quipu("retention", "ls", "-s", "a") == 0
    printed = capsys.readouterr().out
    assert {"1,000", "-/old", "delete", "30d,", "disabled"} <= set(printed.split())
    assert quipu("retention", "ls", "--all-spaces", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "policy": "-/old",
        "action": "delete",
        "priority": 1000,
        "disabled": True,
        "older_than": "30d",
        "kinds": ["working", "tool_result"],
        "tags": ["a"],
        "etag": "7",
    }
    assert [request.parent for request in notebook.server.requests] == ["spaces/a", "spaces/-"]


def test_a_policy_is_changed(quipu: Run, notebook: Notebook) -> None:
    notebook.server.answers["UpdateRetentionPolicy"] = lambda _: UpdateRetentionPolicyResponse(retention_policy=POLICY)
    changes = ("--older-than", "12h", "--enable", "--clear", "tags", "--kind", "working")
    assert quipu("retention", "set", "old", "-s", "a", *changes) == 0
    (request,) = notebook.server.requests
    policy = request.retention_policy
    assert policy.name == "spaces/a/retentionPolicies/old"
    assert policy.older_than.ToTimedelta() == timedelta(hours=12)
    assert sorted(request.update_mask.paths) == ["disabled", "kinds", "older_than", "tags"]


def test_a_policy_that_is_missing_is_created(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    notebook.server.answers["UpdateRetentionPolicy"] = lambda _: abort(notebook.server, "NOT_FOUND", "none")
    notebook.server.answers["CreateRetentionPolicy"] = lambda _: CreateRetentionPolicyResponse(retention_policy=POLICY)
    given = ("--action", "delete", "--older-than", "30d", "--json")
    assert quipu("retention", "set", "old", "--all-spaces", *given) == 0
    assert json.loads(capsys.readouterr().out)["policy"] == "-/old"
    request = notebook.server.requests[-1]
    assert (request.parent, request.retention_policy_id) == ("spaces/-", "old")
    assert request.retention_policy.action == RETENTION_ACTION_DELETE


def test_policies_are_deleted(quipu: Run, notebook: Notebook) -> None:
    notebook.server.answers["DeleteRetentionPolicy"] = lambda _: DeleteRetentionPolicyResponse()
    assert quipu("retention", "rm", "old", "older", "-s", "a") == 0
    names = [request.name for request in notebook.server.requests]
    assert names == ["spaces/a/retentionPolicies/old", "spaces/a/retentionPolicies/older"]


def run_of(*, dry: bool) -> list[RunRetentionResponse]:
    counts = [RetentionCount(retention_policy=POLICY.name, archived=0, deleted=1_500)]
    decision = RetentionDecision(
        memory="spaces/a/memories/m\x1b", retention_policy=POLICY.name, action=RETENTION_ACTION_ARCHIVE
    )
    progress: dict[str, Any] = {"job": "jobs/j", "spaces_total": 2, "memories_examined": 4_000}
    return [
        RunRetentionResponse(progress=RetentionProgress(job="jobs/j")),
        RunRetentionResponse(progress=RetentionProgress(spaces_done=1, **progress)),
        RunRetentionResponse(
            progress=RetentionProgress(spaces_done=2, counts=counts, **progress),
            summary=RetentionSummary(deleted=1_500, decisions=[decision] if dry else []),
        ),
    ]


def test_a_run_is_followed(quipu: Run, notebook: Notebook, capsys: Output) -> None:
    notebook.server.answers["RunRetention"] = lambda request: iter(run_of(dry=request.dry_run))
    assert quipu("retention", "run", "-s", "a") == 0
    shown = capsys.readouterr()
    assert {"-/old", "1,500"} <= set(shown.out.split())
    assert "4,000 memories examined, 0 archived, 1,500 deleted" in shown.err
    assert "2/2" in shown.err
    assert quipu("retention", "run", "--all-spaces", "--dry-run", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["policies"] == [{"policy": "-/old", "archived": 0, "deleted": 1500}]
    assert told["decisions"][0]["action"] == "archive"
    assert quipu("retention", "run", "--dry-run") == 0
    assert "\x1b" not in capsys.readouterr().out
    assert [request.dry_run for request in notebook.server.requests] == [False, True, True]
    assert [request.parent for request in notebook.server.requests] == ["spaces/a", "spaces/-", "spaces/default"]
