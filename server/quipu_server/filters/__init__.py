"""Filters: their tree, their text form, and the rules both obey."""

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

__all__ = ["METADATA_PREFIX", "AllOf", "AnyOf", "Comparison", "Condition", "In", "IsSet", "Not", "Operator"]
