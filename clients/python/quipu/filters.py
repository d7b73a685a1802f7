"""Filters as callers give them."""

from typing import Any, TypeAlias

from quipu.v1.filter_pb2 import Filter

FilterLike: TypeAlias = str | Filter


def filtering(filter: FilterLike | None) -> dict[str, Any]:
    """The field of a request that carries the filter: its text form or its tree."""
    if isinstance(filter, Filter):
        return {"filter_tree": filter}
    return {"filter": filter} if filter else {}
