"""Filters as masks over slots."""

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Scalar
from quipu_server.filters import AllOf, AnyOf, Comparison, Condition, In, IsSet, Not, Operator
from quipu_server.hot.arrays import is_one_of
from quipu_server.hot.columns import NEVER, TEXTS, TIMES, Columns, TextColumn, microseconds
from quipu_server.hot.segment import Mask

FIELDS = frozenset({*TEXTS, *TIMES, "tags", "importance", "revision"})
"""Fields that columns hold."""

_ORDERINGS: Mapping[Operator, Callable[[Any, Any], Any]] = {
    Operator.EQUAL: operator.eq,
    Operator.LESS: operator.lt,
    Operator.LESS_OR_EQUAL: operator.le,
    Operator.GREATER: operator.gt,
    Operator.GREATER_OR_EQUAL: operator.ge,
}


def can_answer(condition: Condition) -> bool:
    """Whether columns hold all that the condition asks for. They know no case folding: it is PostgreSQL's."""
    match condition:
        case AllOf(conditions) | AnyOf(conditions):
            return all(map(can_answer, conditions))
        case Not(inner):
            return can_answer(inner)
        case Comparison(field, Operator.CONTAINS_IGNORE_CASE, _):
            return False
        case Comparison(field, _, _) | In(field, _) | IsSet(field):
            return field in FIELDS


def matches(condition: Condition, columns: Columns) -> Mask:
    """Which slots meet a condition that columns can answer and whose values have the types of their fields."""
    match condition:
        case AllOf(conditions):
            return reduce(operator.and_, [matches(c, columns) for c in conditions])
        case AnyOf(conditions):
            return reduce(operator.or_, [matches(c, columns) for c in conditions])
        case Not(inner):
            return ~matches(inner, columns)
        case Comparison(field, Operator.NOT_EQUAL, value):
            return ~matches(Comparison(field, Operator.EQUAL, value), columns)
        case In(field, values):
            return _among(field, values, columns)
        case IsSet(field):
            return _is_set(field, columns)
        case Comparison(field, Operator.CONTAINS, value) if field == "tags":
            return _among(field, (value,), columns)
        case Comparison(field, how, value):
            return _compares(field, how, value, columns)


def _among(field: str, values: tuple[Scalar, ...], columns: Columns) -> Mask:
    if field in columns.texts:
        return columns.texts[field].among(str(value) for value in values)
    return is_one_of(_numbers(field, columns), [_number(value) for value in values])


def _is_set(field: str, columns: Columns) -> Mask:
    if field in columns.texts:
        return columns.texts[field].is_set()
    found: Mask = _numbers(field, columns) != NEVER
    return found


def _compares(field: str, how: Operator, value: Scalar, columns: Columns) -> Mask:
    if field in columns.texts:
        return _compares_text(columns.texts[field], how, str(value))
    numbers = _numbers(field, columns)
    found: Mask = _ORDERINGS[how](numbers, _number(value)) & (numbers != NEVER)
    return found


def _compares_text(column: TextColumn, how: Operator, value: str) -> Mask:
    if how is Operator.EQUAL:
        return column.among((value,))
    if how is Operator.CONTAINS:
        return column.where(lambda text: value in text)
    return column.where(lambda text: bool(_ORDERINGS[how](text, value)))


def _numbers(field: str, columns: Columns) -> NDArray[np.int64] | NDArray[np.float64]:
    if field in columns.times:
        return columns.times[field]
    return columns.importances if field == "importance" else columns.revisions


def _number(value: Scalar) -> float:
    """A number as it is, a time as microseconds."""
    return microseconds(value) if isinstance(value, datetime) else float(value)
