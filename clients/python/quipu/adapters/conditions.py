"""Filters of Quipu, built."""

from collections.abc import Sequence
from typing import Any

from quipu.v1.filter_pb2 import Comparison, ComparisonOperator, Filter, FilterList, Membership
from quipu.values import MetadataValue, to_value


def compare(field: str, operator: ComparisonOperator.ValueType, value: MetadataValue) -> Filter:
    return Filter(comparison=Comparison(field=field, operator=operator, value=to_value(value)))


def one_of(field: str, values: Sequence[Any]) -> Filter:
    """Raises ValueError for no values, which nothing can equal."""
    if not values:
        raise ValueError(f"{field}: needs at least one value")
    arguments: dict[str, Any] = {"in": Membership(field=field, values=[to_value(value) for value in values])}
    return Filter(**arguments)


def all_of(filters: Sequence[Filter]) -> Filter:
    return filters[0] if len(filters) == 1 else Filter(all_of=FilterList(filters=filters))


def any_of(filters: Sequence[Filter]) -> Filter:
    return filters[0] if len(filters) == 1 else Filter(any_of=FilterList(filters=filters))
