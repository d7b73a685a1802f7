"""The rules of filters, as a tree that is sent must obey them."""

import math
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given

from quipu_server.domain import Scalar
from quipu_server.errors import InvalidFilter
from quipu_server.filters import AllOf, AnyOf, Comparison, Condition, In, IsSet, Not, Operator, check_condition
from tests.unit.filters.trees import conditions

NOW = datetime(2024, 5, 1, tzinfo=UTC)
LEAF = IsSet("tags")


def refused(condition: Condition) -> InvalidFilter:
    with pytest.raises(InvalidFilter) as caught:
        check_condition(condition, "filter_tree")
    return caught.value


@given(conditions())
def test_what_obeys_the_rules_passes(condition: Condition) -> None:
    check_condition(condition, "filter_tree")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", 1.0),
        ("content", True),
        ("kind", 3.0),
        ("kind", "Semantic"),
        ("kind", "semantical"),
        ("role", "none"),
        ("role", "episodic"),
        ("tags", NOW),
        ("importance", "high"),
        ("importance", True),
        ("importance", NOW),
        ("revision", "1"),
        ("event_time", "2024-05-01T10:00:00Z"),
        ("event_time", 0.0),
        ("importance", math.nan),
        ("metadata.x", math.inf),
        ("metadata.x", "a\0"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(field: str, value: Scalar) -> None:
    assert refused(Comparison(field, Operator.EQUAL, value)).field == "filter_tree.comparison"
    assert refused(In(field, (value,))).field == "filter_tree.in"


@pytest.mark.parametrize(
    ("field", "operator", "value"),
    [
        ("importance", Operator.CONTAINS, 0.5),
        ("event_time", Operator.CONTAINS_IGNORE_CASE, NOW),
        ("metadata.x", Operator.CONTAINS_IGNORE_CASE, 1.0),
        ("metadata.x", Operator.LESS, True),
        ("metadata.x", Operator.GREATER_OR_EQUAL, False),
    ],
)
def test_an_operator_that_makes_no_sense_is_refused(field: str, operator: Operator, value: Scalar) -> None:
    assert str(operator) in refused(Comparison(field, operator, value)).description


def test_a_list_of_metadata_may_contain_any_scalar() -> None:
    values: tuple[Scalar, ...] = ("x", 1.0, True, NOW)
    for value in values:
        check_condition(Comparison("metadata.x", Operator.CONTAINS, value), "filter_tree")


def test_an_unknown_field_is_told_what_there_is() -> None:
    error = refused(IsSet("importanse"))
    assert error.field == "filter_tree.is_set"
    assert "did you mean importance?" in error.description
    for field in ("id", "content", "expire_time", "metadata.{key}"):
        assert field in error.description


@pytest.mark.parametrize(
    "field", ["", "metadata", "metadata.", "Kind", "name", "metadata." + "k" * 129, "metadata.a\0"]
)
def test_other_names_are_no_fields(field: str) -> None:
    refused(IsSet(field))


def test_a_fault_is_named_by_its_path() -> None:
    bad = IsSet("x")
    assert (
        refused(AllOf((LEAF, AnyOf((LEAF, Not(bad)))))).field
        == "filter_tree.all_of.filters[1].any_of.filters[1].not.is_set"
    )


@pytest.mark.parametrize("join", [AllOf, AnyOf])
def test_size_is_bounded(join: Callable[[tuple[Condition, ...]], Condition]) -> None:
    check_condition(join((LEAF,) * 64), "f")
    assert "more than 64" in refused(join((LEAF,) * 65)).description
    check_condition(join((join((LEAF,) * 62),) * 4), "f")
    assert "more than 256" in refused(join((join((LEAF,) * 63),) * 4)).description


def test_depth_is_bounded() -> None:
    deep: Condition = LEAF
    for _ in range(15):
        deep = Not(deep)
    check_condition(deep, "f")
    assert "nested deeper than 16" in refused(Not(deep)).description


def test_values_are_bounded() -> None:
    check_condition(In("revision", (1.0,) * 1_000), "f")
    for count in (0, 1_001):
        assert "1 to 1,000" in refused(In("revision", (1.0,) * count)).description
