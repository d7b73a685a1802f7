"""Whether a result is what a scenario expects."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.scenarios.files import NOTHING

SHOWN = 200
"""Characters of a value in a message."""


def mismatches(expected: Any, found: Any, path: str = "result") -> Iterator[str]:
    """What differs, as lines for people; nothing when all is as expected."""
    match expected:
        case dict() if any(key.startswith("$") for key in expected):
            for matcher, wanted in expected.items():
                yield from _special(matcher, wanted, found, path)
        case dict():
            yield from _fields(expected, found, path)
        case list():
            yield from _items(expected, found, path)
        case _ if not _equal(expected, found):
            yield f"{path}: expected {_show(expected)}, found {_show(found)}"


def error_mismatches(expected: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """What differs in an error. The fields are all of them, in any order."""
    for fact, wanted in expected.items():
        if fact == "fields":
            yield from mismatches(sorted(wanted), sorted(found[fact]), fact)
        else:
            yield from mismatches(wanted, found[fact], fact)


def _fields(expected: Mapping[str, Any], found: Any, path: str) -> Iterator[str]:
    if not isinstance(found, dict):
        yield f"{path}: expected fields, found {_show(found)}"
        return
    for key, wanted in expected.items():
        yield from mismatches(wanted, found.get(key, NOTHING), f"{path}.{key}")


def _items(expected: list[Any], found: Any, path: str) -> Iterator[str]:
    if not isinstance(found, list) or len(found) != len(expected):
        yield f"{path}: expected a list of {len(expected)}, found {_show(found)}"
        return
    for place, (wanted, item) in enumerate(zip(expected, found, strict=True)):
        yield from mismatches(wanted, item, f"{path}.{place}")


def _special(matcher: str, wanted: Any, found: Any, path: str) -> Iterator[str]:
    if matcher not in _MATCHERS:
        raise ValueError(f"there is no {matcher}")
    if not _MATCHERS[matcher](found, wanted):
        yield f"{path}: expected {matcher} {_show(wanted)}, found {_show(found)}"


def _is_set(found: Any) -> bool:
    return found is not NOTHING and found is not None


def _number(value: Any) -> float | None:
    """The number that a value is, also where JSON writes it as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _equal(expected: Any, found: Any) -> bool:
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    if isinstance(expected, int | float) or isinstance(found, int | float):
        number = _number(expected)
        return number is not None and number == _number(found)
    return bool(expected == found)


def _has(found: Any, wanted: Any) -> bool:
    if isinstance(found, list):
        return any(not list(mismatches(wanted, item)) for item in found)
    return isinstance(found, str) and wanted in found


def _least(found: Any, wanted: float) -> bool:
    number = _number(found)
    return number is not None and number >= wanted


def _most(found: Any, wanted: float) -> bool:
    number = _number(found)
    return number is not None and number <= wanted


_MATCHERS = {
    "$any": lambda found, _: _is_set(found),
    "$none": lambda found, _: not _is_set(found),
    "$size": lambda found, wanted: isinstance(found, list | str) and len(found) == wanted,
    "$least": _least,
    "$most": _most,
    "$has": _has,
}


def _show(value: Any) -> str:
    if value is NOTHING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text):,} characters)"
