"""Values as they are written in the text form of filters."""

import re
from datetime import UTC, datetime

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "r": "\r", "t": "\t"}

# datetime.fromisoformat reads much more than RFC 3339.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def read_string(literal: str) -> str:
    r"""What stands between the quotes; escapes are \\ \" \' \n \r \t. Raises ValueError for any other."""
    inner = literal[1:-1]
    return _ESCAPE.sub(_unescape, inner) if "\\" in inner else inner


def read_time(text: str) -> datetime:
    """A time in the form of RFC 3339, in UTC, cut to microseconds. Raises ValueError."""
    if not _TIME.fullmatch(text):
        raise ValueError(f'{text!r} is not a time like "2024-05-01T10:00:00Z"')
    return _read_iso(text, text.upper())


def read_date(text: str) -> datetime:
    """The first moment, in UTC, of a day like 2024-05-01. Raises ValueError."""
    if not _DATE.fullmatch(text):
        raise ValueError(f'{text!r} is not a date like "2024-05-01"')
    return _read_iso(text, f"{text}T00:00:00Z")


def _unescape(match: re.Match[str]) -> str:
    if (character := _ESCAPED.get(match[1])) is None:
        raise ValueError(rf"\{match[1]} means nothing; a backslash itself is written \\")
    return character


def _read_iso(written: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{written!r} is not on the calendar") from error
