"""The rules of filters: which fields there are, what each may be compared with, and how large a filter may be."""

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import TypeAlias, TypeVar

from quipu_server.domain import Kind, Role, Scalar
from quipu_server.errors import InvalidFilter
from quipu_server.filters.conditions import (
    METADATA_PREFIX,
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    In,
    IsSet,
    Not,
    Operator,
)

MOST_NODES = 256
MOST_DEPTH = 16
MOST_IN_LIST = 64
MOST_VALUES = 1_000
MOST_KEY_BYTES = 128

_NAMES = {
    "kind": tuple(kind.name.lower() for kind in Kind),
    "role": tuple(role.name.lower() for role in Role if role is not Role.NONE),
}
_FIELD_TYPES: dict[str, type] = {
    "id": str,
    "content": str,
    "kind": str,
    "role": str,
    "speaker": str,
    "session": str,
    "tags": str,
    "importance": float,
    "revision": float,
    "event_time": datetime,
    "create_time": datetime,
    "update_time": datetime,
    "expire_time": datetime,
}
_FIELDS = (*_FIELD_TYPES, f"{METADATA_PREFIX}{{key}}")
_TYPE_NAMES = {str: "a string", float: "a number", bool: "true or false", datetime: "a time"}
_CONTAINS = frozenset({Operator.CONTAINS, Operator.CONTAINS_IGNORE_CASE})
_EQUALITY = frozenset({Operator.EQUAL, Operator.NOT_EQUAL})

Leaf: TypeAlias = Comparison | In | IsSet
Node = TypeVar("Node")


def check_condition(condition: Condition, field_path: str) -> None:
    """Raise InvalidFilter unless the tree obeys every rule; its field is the path of the node in the API's tree."""
    check_size(condition, children_of, field_path)
    for leaf, path in _leaves(condition, field_path):
        if (fault := find_fault(leaf)) is not None:
            raise InvalidFilter(path, fault)


def check_size(root: Node, children: Callable[[Node], Sequence[Node]], field_path: str) -> None:
    """Raise InvalidFilter when a tree, of whatever type, has too many nodes, too many at one node, or is too deep."""
    count = 0
    level: Sequence[Node] = [root]
    for _ in range(MOST_DEPTH):
        count += len(level)
        if count > MOST_NODES:
            raise InvalidFilter(field_path, f"has more than {MOST_NODES} conditions")
        below = [children(node) for node in level]
        if any(len(nodes) > MOST_IN_LIST for nodes in below):
            raise InvalidFilter(field_path, f"joins more than {MOST_IN_LIST} conditions in one list; use IN, or nest")
        level = [node for nodes in below for node in nodes]
    if level:
        raise InvalidFilter(field_path, f"is nested deeper than {MOST_DEPTH}")


def find_fault(leaf: Leaf) -> str | None:
    """What is wrong with a leaf; None when nothing is."""
    if (fault := _field_fault(leaf.field)) is not None or isinstance(leaf, IsSet):
        return fault
    if isinstance(leaf, In):
        return _membership_fault(leaf)
    return _operator_fault(leaf) or _value_fault(leaf.field, leaf.value)


def is_time_field(field: str) -> bool:
    """Tell whether a field is compared with times."""
    return _FIELD_TYPES.get(field) is datetime


def children_of(condition: Condition) -> Sequence[Condition]:
    """The conditions right below one."""
    match condition:
        case AllOf() | AnyOf():
            return condition.conditions
        case Not():
            return (condition.condition,)
    return ()


def _leaves(condition: Condition, path: str) -> Iterator[tuple[Leaf, str]]:
    """The leaves of a tree with their paths in the API's `Filter`."""
    match condition:
        case AllOf() | AnyOf():
            name = "all_of" if isinstance(condition, AllOf) else "any_of"
            for i, child in enumerate(condition.conditions):
                yield from _leaves(child, f"{path}.{name}.filters[{i}]")
        case Not():
            yield from _leaves(condition.condition, f"{path}.not")
        case Comparison():
            yield condition, f"{path}.comparison"
        case In():
            yield condition, f"{path}.in"
        case IsSet():
            yield condition, f"{path}.is_set"


def _field_fault(field: str) -> str | None:
    if field in _FIELD_TYPES:
        return None
    if field.startswith(METADATA_PREFIX):
        return _key_fault(field.removeprefix(METADATA_PREFIX))
    return f"there is no field {field!r}{_suggestion(field, _FIELDS)}; fields are {', '.join(_FIELDS)}"


def _key_fault(key: str) -> str | None:
    if not key or len(key.encode()) > MOST_KEY_BYTES:
        return f"a key of metadata has 1 to {MOST_KEY_BYTES} bytes, as in metadata.{{key}}"
    return "a key of metadata must not contain NUL" if "\0" in key else None


def _membership_fault(leaf: In) -> str | None:
    if not 1 <= len(leaf.values) <= MOST_VALUES:
        return f"IN takes 1 to {MOST_VALUES:,} values"
    faults = (_value_fault(leaf.field, value) for value in leaf.values)
    return next((fault for fault in faults if fault is not None), None)


def _operator_fault(leaf: Comparison) -> str | None:
    if leaf.operator in _CONTAINS and _FIELD_TYPES.get(leaf.field, str) is not str:
        return (
            f"{leaf.operator} compares strings and lists, and {leaf.field} is {_TYPE_NAMES[_FIELD_TYPES[leaf.field]]}"
        )
    if leaf.operator is Operator.CONTAINS_IGNORE_CASE and not isinstance(leaf.value, str):
        return f"{leaf.operator} takes a string"
    if isinstance(leaf.value, bool) and leaf.operator not in _EQUALITY | _CONTAINS:
        return f"true and false have no order; {leaf.operator} takes a string, a number or a time"
    return None


def _value_fault(field: str, value: Scalar) -> str | None:
    wanted = _FIELD_TYPES.get(field)
    if wanted is not None and type(value) is not wanted:
        return f"{field} is compared with {_TYPE_NAMES[wanted]}, not with {_TYPE_NAMES[type(value)]}"
    if isinstance(value, str):
        return _text_fault(field, value)
    return "a number must be finite" if isinstance(value, float) and not math.isfinite(value) else None


def _text_fault(field: str, value: str) -> str | None:
    if "\0" in value:
        return "a string must not contain NUL"
    names = _NAMES.get(field)
    if names is None or value in names:
        return None
    return f"there is no {field} {value!r}{_suggestion(value, names)}; values are {', '.join(names)}"


def _suggestion(written: str, names: Sequence[str]) -> str:
    close = get_close_matches(written.lower(), names, n=1)
    return f" (did you mean {close[0]}?)" if close else ""
