"""Metadata and filters, to and from messages."""

import json
from collections.abc import Mapping
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from quipu.v1 import filter_pb2, value_pb2
from quipu_server.domain import MetadataValue, Scalar
from quipu_server.errors import InvalidArgument, InvalidFilter
from quipu_server.filters import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    In,
    IsSet,
    Not,
    Operator,
    check_condition,
    parse_filter,
)
from quipu_server.rpc.fields import check_number, check_text, parse_time

MOST_KEYS, LONGEST_KEY, LONGEST_VALUE, LONGEST_LIST, MOST_BYTES = 64, 128, 8_192, 256, 16_384
DEEPEST_FILTER, MOST_FILTERS = 16, 64
OPERATORS = dict(
    enumerate(
        [
            Operator.EQUAL,
            Operator.NOT_EQUAL,
            Operator.LESS,
            Operator.LESS_OR_EQUAL,
            Operator.GREATER,
            Operator.GREATER_OR_EQUAL,
            Operator.CONTAINS,
            Operator.CONTAINS_IGNORE_CASE,
        ],
        start=1,
    )
)


def parse_metadata(metadata: Mapping[str, value_pb2.Value], path: str) -> dict[str, MetadataValue]:
    """Typed metadata within its limits."""
    if len(metadata) > MOST_KEYS:
        raise InvalidArgument(path, f"has more than {MOST_KEYS} keys")
    size = sum(len(key.encode()) + value.ByteSize() for key, value in metadata.items())
    if size > MOST_BYTES:
        raise InvalidArgument(path, f"has more than {MOST_BYTES} bytes")
    return {
        check_text(key, f"{path}[{key[:140]!r}]", LONGEST_KEY, required=True): parse_value(
            value, f"{path}[{json.dumps(key)}]"
        )
        for key, value in metadata.items()
    }


def parse_value(value: value_pb2.Value, path: str) -> MetadataValue:
    """A scalar or a list of scalars."""
    if value.WhichOneof("kind") != "list_value":
        return parse_scalar(value, path)
    items = value.list_value.values
    if len(items) > LONGEST_LIST:
        raise InvalidArgument(f"{path}.list_value", f"has more than {LONGEST_LIST} values")
    return tuple(parse_scalar(item, f"{path}.list_value.values[{i}]") for i, item in enumerate(items))


def parse_scalar(value: value_pb2.Value, path: str) -> Scalar:
    """A string, number, truth value, or time."""
    match value.WhichOneof("kind"):
        case "string_value":
            return check_text(value.string_value, f"{path}.string_value", LONGEST_VALUE)
        case "number_value":
            return check_number(value.number_value, f"{path}.number_value", -1.8e308, 1.8e308)
        case "bool_value":
            return value.bool_value
        case "time_value":
            return parse_time(value.time_value, f"{path}.time_value")
        case "list_value":
            raise InvalidArgument(path, "must be a scalar: lists cannot be nested")
        case _:
            raise InvalidArgument(path, "must have a value")


def build_value(value: MetadataValue) -> value_pb2.Value:
    """The message of a value."""
    if isinstance(value, tuple):
        return value_pb2.Value(list_value=value_pb2.ListValue(values=[build_value(item) for item in value]))
    if isinstance(value, bool):
        return value_pb2.Value(bool_value=value)
    if isinstance(value, datetime):
        return value_pb2.Value(time_value=build_time(value))
    return value_pb2.Value(string_value=value) if isinstance(value, str) else value_pb2.Value(number_value=value)


def build_time(time: datetime) -> Timestamp:
    """The message of a time."""
    message = Timestamp()
    message.FromDatetime(time)
    return message


def parse_filtering(text: str, tree: filter_pb2.Filter | None) -> Condition | None:
    """The condition of a request, from whichever form it has."""
    if tree is not None:
        condition = parse_tree(tree, "filter_tree", 1)
        check_condition(condition, "filter_tree")
        return condition
    return parse_filter(text, "filter") if text else None


def parse_tree(tree: filter_pb2.Filter, path: str, depth: int) -> Condition:
    """The condition a tree says."""
    if depth > DEEPEST_FILTER:
        raise InvalidFilter(path, f"is deeper than {DEEPEST_FILTER}")
    match tree.WhichOneof("condition"):
        case "all_of":
            return AllOf(parse_list(tree.all_of, f"{path}.all_of", depth))
        case "any_of":
            return AnyOf(parse_list(tree.any_of, f"{path}.any_of", depth))
        case "not":
            return Not(parse_tree(getattr(tree, "not"), f"{path}.not", depth + 1))
        case "comparison":
            return parse_comparison(tree.comparison, f"{path}.comparison")
        case "in":
            return parse_membership(getattr(tree, "in"), f"{path}.in")
        case "is_set":
            return IsSet(tree.is_set)
        case _:
            raise InvalidFilter(path, "must have a condition")


def parse_list(filters: filter_pb2.FilterList, path: str, depth: int) -> tuple[Condition, ...]:
    if not 1 <= len(filters.filters) <= MOST_FILTERS:
        raise InvalidFilter(f"{path}.filters", f"has 1 to {MOST_FILTERS} filters, not {len(filters.filters)}")
    return tuple(parse_tree(part, f"{path}.filters[{i}]", depth + 1) for i, part in enumerate(filters.filters))


def parse_comparison(comparison: filter_pb2.Comparison, path: str) -> Comparison:
    if (operator := OPERATORS.get(comparison.operator)) is None:
        raise InvalidFilter(f"{path}.operator", f"{comparison.operator} is no operator")
    return Comparison(comparison.field, operator, parse_scalar(comparison.value, f"{path}.value"))


def parse_membership(membership: filter_pb2.Membership, path: str) -> In:
    values = tuple(parse_scalar(value, f"{path}.values[{i}]") for i, value in enumerate(membership.values))
    return In(membership.field, values)
