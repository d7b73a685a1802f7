"""What is kept, told and measured of runs."""

from datetime import UTC, datetime
from uuid import uuid4

from quipu_server.domain import Memory, MemoryFields
from quipu_server.measuring.metrics import RETENTION_MEMORIES, RETENTION_RUNS
from quipu_server.ports.retention import Action, Policy, PolicySettings
from quipu_server.retention.progress import MOST_DECISIONS, Progress
from quipu_server.retention.tally import Tally

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def policy(name: str, action: Action) -> Policy:
    return Policy("spaces/-", name, PolicySettings(action, keep_at_most=1), 1, NOW, NOW)


def memory(name: str) -> Memory:
    return Memory(name, MemoryFields("text"), 1, 1, uuid4(), NOW, NOW)


def test_counts_are_kept_by_policy_in_the_order_they_came() -> None:
    progress = Progress()
    progress.add(policy("b", Action.DELETE), 3)
    progress.add(policy("a", Action.ARCHIVE), 2)
    progress.add(policy("b", Action.DELETE), 4)
    assert [(each.policy.rpartition("/")[2], each.archived, each.deleted) for each in progress.counts] == [
        ("b", 0, 7),
        ("a", 2, 0),
    ]
    assert (progress.archived, progress.deleted) == (2, 7)


def test_decisions_are_bounded_and_counts_are_not() -> None:
    progress = Progress()
    for start in (0, MOST_DECISIONS - 1):
        progress.note(policy("a", Action.DELETE), "s", [memory(f"m{start + n}") for n in range(MOST_DECISIONS)])
    assert len(progress.decisions) == MOST_DECISIONS
    assert progress.decisions[0].memory == "spaces/s/memories/m0"


def test_progress_is_read_as_it_was_written() -> None:
    progress = Progress(after="s", spaces_done=1, spaces_total=3, examined=9)
    progress.add(policy("a", Action.ARCHIVE), 2)
    progress.note(policy("a", Action.ARCHIVE), "s", [memory("m")])
    assert Progress.read(progress.write()) == progress
    copied = progress.copy()
    copied.add(policy("a", Action.ARCHIVE), 1)
    assert progress.archived == 2


def test_runs_are_counted() -> None:
    tally = Tally()
    tally.ran(dry_run=True)
    tally.did(Action.DELETE, 5)
    tally.did(Action.DELETE, 2)
    shown = {(sample.metric, sample.labels): sample.value for sample in tally.samples()}
    assert shown == {
        (RETENTION_RUNS, ("run",)): 0,
        (RETENTION_RUNS, ("dry_run",)): 1,
        (RETENTION_MEMORIES, ("archive",)): 0,
        (RETENTION_MEMORIES, ("delete",)): 7,
    }
