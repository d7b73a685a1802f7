"""The tree of a filter. Its meaning is written at `Filter` in `filter.proto`."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from quipu_server.domain import Scalar

METADATA_PREFIX = "metadata."


class Operator(StrEnum):
    """How a comparison compares; the values are those of the text form."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    CONTAINS = "CONTAINS"
    CONTAINS_IGNORE_CASE = "ICONTAINS"


@dataclass(frozen=True, slots=True)
class AllOf:
    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    conditions: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Comparison:
    field: str
    operator: Operator
    value: Scalar


@dataclass(frozen=True, slots=True)
class In:
    field: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class IsSet:
    field: str


Condition: TypeAlias = AllOf | AnyOf | Not | Comparison | In | IsSet
