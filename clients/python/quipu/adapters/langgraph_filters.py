"""Filters of LangGraph: as far as the server can tell, and to the end."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from langgraph.store.base import MatchCondition

from quipu.adapters.conditions import all_of, any_of, compare
from quipu.adapters.langgraph_items import FIELD, dump, scalar
from quipu.v1.filter_pb2 import (
    COMPARISON_OPERATOR_EQUAL,
    COMPARISON_OPERATOR_GREATER,
    COMPARISON_OPERATOR_GREATER_OR_EQUAL,
    COMPARISON_OPERATOR_LESS,
    COMPARISON_OPERATOR_LESS_OR_EQUAL,
    COMPARISON_OPERATOR_NOT_EQUAL,
    ComparisonOperator,
    Filter,
)

_OPERATORS: Mapping[str, ComparisonOperator.ValueType] = {
    "$eq": COMPARISON_OPERATOR_EQUAL,
    "$ne": COMPARISON_OPERATOR_NOT_EQUAL,
    "$gt": COMPARISON_OPERATOR_GREATER,
    "$gte": COMPARISON_OPERATOR_GREATER_OR_EQUAL,
    "$lt": COMPARISON_OPERATOR_LESS,
    "$lte": COMPARISON_OPERATOR_LESS_OR_EQUAL,
}
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": lambda a, b: bool(a > b),
    "$gte": lambda a, b: bool(a >= b),
    "$lt": lambda a, b: bool(a < b),
    "$lte": lambda a, b: bool(a <= b),
}


def narrow(prefix: Sequence[str], filter: Mapping[str, Any] | None, *, is_indexed: bool = False) -> Filter:
    """What the server can tell of a search."""
    conditions = [below([prefix] if prefix else [])]
    if is_indexed:
        conditions.append(compare("metadata.indexed", COMPARISON_OPERATOR_EQUAL, True))
    for key, operator, value in _comparisons(filter or {}):
        if comparison := _comparison(key, operator, value):
            conditions.append(any_of([comparison, compare("metadata.partial", COMPARISON_OPERATOR_EQUAL, True)]))
    return all_of(conditions)


def below(prefixes: Sequence[Sequence[str]]) -> Filter:
    """Items in namespaces that begin so."""
    conditions = [compare("metadata.prefixes", COMPARISON_OPERATOR_EQUAL, dump(prefix)) for prefix in prefixes]
    return all_of(conditions) if conditions else Filter(is_set="metadata.namespace")


def meets(value: Mapping[str, Any], filter: Mapping[str, Any]) -> bool:
    """Whether a value meets a filter."""
    return all(_meets_operator(value.get(key), operator, wanted) for key, operator, wanted in _comparisons(filter))


def does_match(condition: MatchCondition, namespace: Sequence[str]) -> bool:
    """Whether a namespace matches; `*` stands for any label."""
    path = condition.path
    if len(namespace) < len(path):
        return False
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[len(namespace) - len(path) :]
    return all(wanted in ("*", label) for wanted, label in zip(path, part, strict=True))


def _comparisons(filter: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Key, operator and value of each comparison. Raises ValueError for an unknown operator."""
    for key, wanted in filter.items():
        if not isinstance(wanted, Mapping) or not any(name.startswith("$") for name in wanted):
            yield key, "$eq", wanted
            continue
        for operator, value in wanted.items():
            if operator not in _OPERATORS:
                raise ValueError(f"{operator!r} is not one of {', '.join(_OPERATORS)}")
            yield key, operator, value


def _comparison(key: str, operator: str, value: Any) -> Filter | None:
    known = scalar(value)
    return None if known is None else compare(f"metadata.{FIELD}{key}", _OPERATORS[operator], known)


def _meets_operator(value: Any, operator: str, wanted: Any) -> bool:
    match operator:
        case "$eq":
            return _equal(value, wanted)
        case "$ne":
            return not _equal(value, wanted)
    if isinstance(value, str) is not isinstance(wanted, str) or value is None or wanted is None:
        return False
    return _ORDERS[operator](value, wanted)


def _equal(value: Any, wanted: Any) -> bool:
    """A mapping equals one that has as much, a list one with equal items."""
    if isinstance(wanted, Mapping):
        return isinstance(value, Mapping) and all(_equal(value.get(key), item) for key, item in wanted.items())
    if isinstance(wanted, list | tuple):
        is_as_long = isinstance(value, list | tuple) and len(value) == len(wanted)
        return is_as_long and all(_equal(a, b) for a, b in zip(value, wanted, strict=True))
    return bool(value == wanted) and isinstance(value, bool) is isinstance(wanted, bool)
