"""Spaces that are not there yet."""

from collections.abc import Callable
from typing import TypeVar

from quipu.errors import NotFound

T = TypeVar("T")


def unless_missing(read: Callable[[], T], empty: T) -> T:
    """What is read; without a space, which appears with its first memory, it is empty."""
    try:
        return read()
    except NotFound as error:
        if error.reason != "SPACE_NOT_FOUND":
            raise
        return empty
