"""What policies mean, without a store."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from quipu_server.domain import Kind
from quipu_server.errors import InvalidArgument
from quipu_server.filters import AllOf, AnyOf, Comparison, In, IsSet, Not, Operator
from quipu_server.ports.retention import Action, PolicySettings, Scope
from quipu_server.retention.rules import check_settings, decided, rule_of

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY_S = 86_400.0
ARCHIVE = PolicySettings(Action.ARCHIVE, tags=("x",))


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        (PolicySettings(Action.DELETE), "retention_policy"),
        (PolicySettings(Action.DELETE, priority=3, disabled=True), "retention_policy"),
        (replace(ARCHIVE, archived_for_s=DAY_S), "retention_policy.archived_for"),
        (replace(ARCHIVE, by_event_time=True), "retention_policy.by_event_time"),
    ],
)
def test_settings_that_do_not_belong_together(settings: PolicySettings, field: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        check_settings(settings)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "condition",
    [
        {"older_than_s": 1.0},
        {"importance_at_most": 0.0},
        {"session_idle_for_s": 1.0},
        {"kinds": (Kind.WORKING,)},
        {"tags": ("a",)},
        {"filter": 'id = "a"'},
        {"archived_for_s": 1.0},
        {"keep_at_most": 1},
    ],
)
def test_one_condition_is_enough(condition: dict[str, object]) -> None:
    settings = replace(PolicySettings(Action.DELETE), **condition)  # type: ignore[arg-type]
    assert check_settings(settings) is settings


def test_all_conditions_become_one() -> None:
    settings = PolicySettings(
        Action.ARCHIVE,
        older_than_s=2 * DAY_S,
        importance_at_most=0.35,
        kinds=(Kind.WORKING, Kind.TOOL_RESULT),
        tags=("a", "b"),
        filter='speaker = "Ann"',
        session_idle_for_s=DAY_S,
    )
    rule = rule_of(settings, NOW)
    assert rule.scope is Scope.IN_USE
    assert rule.idle_since == NOW - timedelta(days=1)
    assert rule.condition == AllOf(
        (
            Comparison("create_time", Operator.LESS_OR_EQUAL, NOW - timedelta(days=2)),
            Comparison("importance", Operator.LESS_OR_EQUAL, 0.35),
            In("kind", ("working", "tool_result")),
            In("tags", ("a", "b")),
            Comparison("speaker", Operator.EQUAL, "Ann"),
        )
    )


def test_age_by_event_time_falls_back_to_creation() -> None:
    time = NOW - timedelta(days=2)
    rule = rule_of(PolicySettings(Action.DELETE, older_than_s=2 * DAY_S, by_event_time=True), NOW)
    assert rule.scope is Scope.KEPT
    created = AllOf((Not(IsSet("event_time")), Comparison("create_time", Operator.LESS_OR_EQUAL, time)))
    assert rule.condition == AllOf((AnyOf((Comparison("event_time", Operator.LESS_OR_EQUAL, time), created)),))


def test_archived_memories_by_the_time_since_then() -> None:
    rule = rule_of(PolicySettings(Action.DELETE, archived_for_s=90 * DAY_S), NOW)
    assert rule.scope is Scope.ARCHIVED
    assert rule.condition == AllOf((Comparison("update_time", Operator.LESS_OR_EQUAL, NOW - timedelta(days=90)),))


def test_a_policy_that_only_keeps_so_many_has_no_condition() -> None:
    assert rule_of(PolicySettings(Action.DELETE, keep_at_most=3), NOW).condition is None


@pytest.mark.parametrize(
    ("keep", "taken", "left"),
    [
        (None, [], [5, 3, 9, 1]),
        (None, [3, 1, 7], [5, 9]),
        (1, [], [5, 3, 9]),
        (3, [5], []),
        (2, [9], [5]),
        (9, [], []),
    ],
)
def test_the_first_policy_decides_and_the_last_ones_are_kept(
    keep: int | None, taken: list[int], left: list[int]
) -> None:
    settings = replace(ARCHIVE, keep_at_most=keep)
    met = np.array([5, 3, 9, 1], np.int64)
    assert decided(met, np.array(taken, np.int64), settings).tolist() == left
