"""Filters on columns mean what they mean on plain rows."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quipu_server.domain import IndexRow, Kind, Role
from quipu_server.filters import AllOf, AnyOf, Comparison, Condition, In, IsSet, Not, Operator
from quipu_server.hot import conditions
from quipu_server.hot.columns import Columns, GrowingColumns
from tests.logs import NOW, a_row, random_condition, random_row
from tests.oracle import meets

ROWS = [random_row(Random(i), i + 1, f"m{i}") for i in range(100)]


def columns_of(rows: Sequence[IndexRow]) -> Columns:
    growing = GrowingColumns()
    growing.extend(rows)
    return growing.view()


COLUMNS = columns_of(ROWS)


@given(st.integers(0, 100_000))
def test_columns_agree_with_rows(seed: int) -> None:
    condition = random_condition(Random(seed), ROWS)
    if conditions.can_answer(condition):
        assert conditions.matches(condition, COLUMNS).tolist() == [meets(row, condition) for row in ROWS]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Comparison("speaker", Operator.NOT_EQUAL, "Ann"), [False, True]),
        (Comparison("speaker", Operator.EQUAL, ""), [False, False]),
        (Comparison("speaker", Operator.CONTAINS, "nn"), [True, False]),
        (Not(Comparison("speaker", Operator.LESS, "Z")), [False, True]),
        (Comparison("role", Operator.EQUAL, "user"), [True, False]),
        (IsSet("role"), [True, False]),
        (Comparison("kind", Operator.EQUAL, "semantic"), [False, True]),
        (Comparison("tags", Operator.CONTAINS, "a"), [True, False]),
        (Comparison("tags", Operator.CONTAINS, "b"), [False, True]),
        (Comparison("tags", Operator.GREATER, "a"), [True, True]),
        (In("tags", ("c", "d")), [True, False]),
        (IsSet("tags"), [True, True]),
        (Comparison("event_time", Operator.LESS_OR_EQUAL, NOW), [True, False]),
        (Comparison("event_time", Operator.NOT_EQUAL, NOW), [False, True]),
        (IsSet("event_time"), [True, False]),
        (In("event_time", (NOW,)), [True, False]),
        (Comparison("revision", Operator.GREATER, 1.0), [False, True]),
        (In("importance", (0.5, 0.75)), [True, True]),
        (AllOf((IsSet("tags"), IsSet("role"))), [True, False]),
        (AnyOf((IsSet("id"), IsSet("role"))), [True, True]),
    ],
)
def test_leaves_mean_what_filters_promise(condition: Condition, expected: list[bool]) -> None:
    said = a_row(1, speaker="Ann", role=Role.USER, tags=("a", "c"), event_time=NOW)
    known = a_row(2, kind=Kind.SEMANTIC, tags=("b",))
    assert conditions.matches(condition, columns_of([said, known])).tolist() == expected


@pytest.mark.parametrize(
    "leaf",
    [
        Comparison("content", Operator.CONTAINS, "a"),
        Comparison("metadata.key", Operator.EQUAL, 1.0),
        IsSet("metadata.key"),
        In("content", ("a",)),
        Comparison("speaker", Operator.CONTAINS_IGNORE_CASE, "a"),
    ],
)
def test_what_columns_lack_is_left_to_the_database(leaf: Condition) -> None:
    assert not conditions.can_answer(leaf)
    assert not conditions.can_answer(AllOf((IsSet("id"), Not(AnyOf((leaf,))))))
