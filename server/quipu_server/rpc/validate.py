"""Rules for single fields. A check returns what it was given, or raises InvalidArgument with the path of the field."""

import math
import re
from collections.abc import Mapping, Sized
from typing import TypeVar
from uuid import UUID

from quipu_server.errors import InvalidArgument

DEFAULT_PAGE = 50
LARGEST_PAGE = 1_000

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

Meaning = TypeVar("Meaning")


def count_bytes(text: str) -> int:
    """Length of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def check_text(text: str, path: str, most_bytes: int, *, required: bool = False) -> str:
    """A text without NUL, of at most so many bytes in UTF-8."""
    if required and not text:
        raise InvalidArgument(path, "must not be empty")
    if (size := count_bytes(text)) > most_bytes:
        raise InvalidArgument(path, f"has {size:,} bytes; at most {most_bytes:,} are allowed")
    if "\0" in text:
        raise InvalidArgument(path, "must not contain NUL")
    return text


def check_pattern(text: str, path: str, pattern: re.Pattern[str], rule: str) -> str:
    """A text that a pattern matches as a whole; `rule` says how it must be."""
    if not pattern.fullmatch(text):
        raise InvalidArgument(path, f"must be {rule}")
    return text


def check_number(value: float, path: str, least: float, most: float) -> float:
    """A finite number within bounds."""
    if not least <= value <= most or not math.isfinite(value):
        raise InvalidArgument(path, f"is {value:g}; it must be from {least:g} to {most:g}")
    return value


def check_count(items: Sized, path: str, most: int, *, least: int = 0) -> None:
    """Raise InvalidArgument for too many items or too few."""
    if not least <= len(items) <= most:
        bounds = f"{least} to {most:,}" if least else f"at most {most:,}"
        raise InvalidArgument(path, f"has {len(items):,} entries; {bounds} are allowed")


def check_known(number: int, path: str, meanings: Mapping[int, Meaning]) -> Meaning:
    """What the number of an enum value means."""
    if number not in meanings:
        raise InvalidArgument(path, f"{number} is not a value of this enum")
    return meanings[number]


def check_page_size(size: int) -> int:
    """How many rows to return: 0 means the default, too many means the most."""
    if size < 0:
        raise InvalidArgument("page_size", "must not be negative")
    return min(size or DEFAULT_PAGE, LARGEST_PAGE)


def check_uuid(text: str, path: str) -> UUID:
    """A UUID as 8-4-4-4-12 hexadecimal digits."""
    return UUID(check_pattern(text, path, _UUID, "a UUID, as 123e4567-e89b-42d3-a456-426614174000"))


def check_revision(revision: int) -> int:
    """A revision, or 0 where none is given."""
    if revision < 0:
        raise InvalidArgument("revision", "must not be negative")
    return revision
