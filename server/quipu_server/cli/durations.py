"""Spans of time as people write them: `30d`, `1d12h`, `90m`, `45s`."""

import re
from datetime import timedelta

import click

_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_PART = re.compile(r"(\d+(?:\.\d+)?)([wdhms])")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")


def duration(text: str) -> timedelta:
    """Read a span of time."""
    if not _WHOLE.fullmatch(text):
        raise click.BadParameter(f"{text!r} is not a span of time such as 30d, 1d12h, 90m or 45s")
    try:
        return sum((timedelta(**{_UNITS[unit]: float(count)}) for count, unit in _PART.findall(text)), timedelta())
    except OverflowError:
        raise click.BadParameter(f"{text!r} is too long") from None


def write_duration(length: timedelta) -> str:
    """A span of time in the same form, as few parts as it takes."""
    left, parts = length.total_seconds(), []
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("m", 60)):
        count, left = divmod(left, seconds)
        parts += [f"{count:.0f}{unit}"] if count else []
    return "".join(parts + ([f"{left:g}s"] if left or not parts else []))
