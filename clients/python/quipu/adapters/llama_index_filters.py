"""Filters of LlamaIndex as those of Quipu."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters

from quipu.adapters.conditions import all_of, any_of, compare, one_of
from quipu.v1.filter_pb2 import (
    COMPARISON_OPERATOR_CONTAINS,
    COMPARISON_OPERATOR_CONTAINS_IGNORE_CASE,
    COMPARISON_OPERATOR_EQUAL,
    COMPARISON_OPERATOR_GREATER,
    COMPARISON_OPERATOR_GREATER_OR_EQUAL,
    COMPARISON_OPERATOR_LESS,
    COMPARISON_OPERATOR_LESS_OR_EQUAL,
    COMPARISON_OPERATOR_NOT_EQUAL,
    ComparisonOperator,
    Filter,
)

_COMPARISONS: Mapping[FilterOperator, ComparisonOperator.ValueType] = {
    FilterOperator.EQ: COMPARISON_OPERATOR_EQUAL,
    FilterOperator.NE: COMPARISON_OPERATOR_NOT_EQUAL,
    FilterOperator.GT: COMPARISON_OPERATOR_GREATER,
    FilterOperator.GTE: COMPARISON_OPERATOR_GREATER_OR_EQUAL,
    FilterOperator.LT: COMPARISON_OPERATOR_LESS,
    FilterOperator.LTE: COMPARISON_OPERATOR_LESS_OR_EQUAL,
    FilterOperator.TEXT_MATCH: COMPARISON_OPERATOR_CONTAINS,
    FilterOperator.TEXT_MATCH_INSENSITIVE: COMPARISON_OPERATOR_CONTAINS_IGNORE_CASE,
}
"""Operators that compare a field with one value."""


def to_filters(filters: MetadataFilters) -> Filter:
    """A tree of conditions. Raises ValueError for what Quipu cannot say."""
    parts = [to_filters(f) if isinstance(f, MetadataFilters) else _to_filter(f) for f in filters.filters]
    if filters.condition is FilterCondition.OR:
        return any_of(parts)
    if filters.condition is FilterCondition.NOT:
        return _negated(any_of(parts))
    return all_of(parts)


def _to_filter(filter: MetadataFilter) -> Filter:
    field, value = f"metadata.{filter.key}", filter.value
    if filter.operator in _SPECIAL:
        return _SPECIAL[filter.operator](field, value)
    if value is None or isinstance(value, list):
        raise ValueError(f"{filter.key}: {filter.operator.value} needs one value, not {value!r}")
    return compare(field, _COMPARISONS[filter.operator], value)


def _negated(filter: Filter) -> Filter:
    arguments: dict[str, Any] = {"not": filter}
    return Filter(**arguments)


def _contains(field: str, value: Any) -> Filter:
    """A part of a text, or an item of a list."""
    operator = COMPARISON_OPERATOR_CONTAINS if isinstance(value, str) else COMPARISON_OPERATOR_EQUAL
    return compare(field, operator, value)


def _is_empty(field: str, _: Any) -> Filter:
    return any_of([_negated(Filter(is_set=field)), compare(field, COMPARISON_OPERATOR_EQUAL, "")])


def _values(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


_SPECIAL: Mapping[FilterOperator, Callable[[str, Any], Filter]] = {
    FilterOperator.IN: lambda field, value: one_of(field, _values(value)),
    FilterOperator.NIN: lambda field, value: _negated(one_of(field, _values(value))),
    FilterOperator.ANY: lambda field, value: one_of(field, _values(value)),
    FilterOperator.ALL: lambda field, value: all_of([one_of(field, [each]) for each in _values(value)]),
    FilterOperator.CONTAINS: _contains,
    FilterOperator.IS_EMPTY: _is_empty,
}
