"""Filters: their tree, their text form, and the rules both obey."""

from quipu_server.filters.check import MOST_VALUES, check_condition, check_size
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
from quipu_server.filters.parse import parse_filter

__all__ = [
    "METADATA_PREFIX",
    "MOST_VALUES",
    "AllOf",
    "AnyOf",
    "Comparison",
    "Condition",
    "In",
    "IsSet",
    "Not",
    "Operator",
    "check_condition",
    "check_size",
    "parse_filter",
]
