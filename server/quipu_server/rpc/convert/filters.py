"""Filters in both their forms."""

from typing import TYPE_CHECKING

from quipu.v1.filter_pb2 import Comparison as ComparisonMessage
from quipu.v1.filter_pb2 import ComparisonOperator, Filter, FilterList, Membership
from quipu_server.errors import InvalidArgument, InvalidFilter
from quipu_server.filters import (
    MOST_VALUES,
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    In,
    IsSet,
    Not,
    Operator,
    check_condition,
    check_size,
    parse_filter,
)
from quipu_server.rpc.convert.values import read_scalar
from quipu_server.rpc.validate import check_known

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quipu.v1.memory_service_pb2 import ListMemoriesRequest, WatchMemoriesRequest
    from quipu.v1.retention_service_pb2 import EraseMemoriesRequest
    from quipu.v1.search_service_pb2 import SearchRequest

_OPERATORS: dict[int, Operator] = {
    ComparisonOperator.Value(f"COMPARISON_OPERATOR_{name}"): operator
    for name, operator in (
        ("EQUAL", Operator.EQUAL),
        ("NOT_EQUAL", Operator.NOT_EQUAL),
        ("LESS", Operator.LESS),
        ("LESS_OR_EQUAL", Operator.LESS_OR_EQUAL),
        ("GREATER", Operator.GREATER),
        ("GREATER_OR_EQUAL", Operator.GREATER_OR_EQUAL),
        ("CONTAINS", Operator.CONTAINS),
        ("CONTAINS_IGNORE_CASE", Operator.CONTAINS_IGNORE_CASE),
    )
}


def read_filtering(
    request: "EraseMemoriesRequest | ListMemoriesRequest | SearchRequest | WatchMemoriesRequest",
) -> Condition | None:
    """The condition of a request; None when it brings none, or an empty text. Raises InvalidFilter."""
    match request.WhichOneof("filtering"):
        case "filter_tree":
            return read_tree(request.filter_tree, "filter_tree")
        case "filter" if request.filter:
            return parse_filter(request.filter, "filter")
    return None


def read_tree(message: Filter, path: str) -> Condition:
    """The condition of a tree, checked. Raises InvalidFilter."""
    check_size(message, _children, path)
    try:
        condition = _read(message, path)
    except InvalidArgument as error:
        raise InvalidFilter(error.field, error.description) from error
    check_condition(condition, path)
    return condition


def _children(message: Filter) -> "Sequence[Filter]":
    match message.WhichOneof("condition"):
        case "all_of":
            return message.all_of.filters
        case "any_of":
            return message.any_of.filters
        case "not":
            return (getattr(message, "not"),)
    return ()


def _read(message: Filter, path: str) -> Condition:
    match message.WhichOneof("condition"):
        case "all_of":
            return AllOf(_read_list(message.all_of, f"{path}.all_of"))
        case "any_of":
            return AnyOf(_read_list(message.any_of, f"{path}.any_of"))
        case "not":
            return Not(_read(getattr(message, "not"), f"{path}.not"))
        case "comparison":
            return _read_comparison(message.comparison, f"{path}.comparison")
        case "in":
            return _read_membership(getattr(message, "in"), f"{path}.in")
        case "is_set":
            return IsSet(message.is_set)
    raise InvalidArgument(path, "must have a condition")


def _read_list(message: FilterList, path: str) -> tuple[Condition, ...]:
    if not message.filters:
        raise InvalidArgument(f"{path}.filters", "must have at least one filter")
    return tuple(_read(child, f"{path}.filters[{i}]") for i, child in enumerate(message.filters))


def _read_comparison(message: ComparisonMessage, path: str) -> Comparison:
    operator = check_known(message.operator, f"{path}.operator", _OPERATORS)
    return Comparison(message.field, operator, read_scalar(message.value, f"{path}.value"))


def _read_membership(message: Membership, path: str) -> In:
    # One value too many is enough for the check that follows.
    values = message.values[: MOST_VALUES + 1]
    return In(message.field, tuple(read_scalar(value, f"{path}.values[{i}]") for i, value in enumerate(values)))
