"""Puts settings together, and says where a wrong one was given."""

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from quipu_server.config.settings import CONFIG_VARIABLE, PREFIX, Settings

Place: TypeAlias = Sequence[str | int]
"""Keys and indexes that lead to a value."""


class BadSettings(ValueError):
    """Settings cannot be used; one line for each reason, with where it was given."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(flags: Mapping[str, Any]) -> Settings:
    """The settings after flags, environment, file and defaults are put together. Raises BadSettings."""
    file = os.environ.get(CONFIG_VARIABLE)
    try:
        return Settings(**flags)
    except ValidationError as error:
        raise BadSettings([describe(problem, flags) for problem in error.errors(include_url=False)]) from None
    except tomllib.TOMLDecodeError as error:
        raise BadSettings([f"{file}: {error}"]) from None
    except OSError as error:
        raise BadSettings([f"{file}: {error.strerror}"]) from None
    except ValueError as error:
        raise BadSettings([str(error)]) from None


def origin(place: Place, flags: Mapping[str, Any]) -> str:
    """Where a value was given: a flag, a variable, a line of the file; "" for a default."""
    if not place:
        return ""
    name = str(place[0])
    if name in flags:
        return f"--{name.replace('_', '-')}"
    variable = PREFIX + name.upper()
    if variable in os.environ:
        return variable
    if file := os.environ.get(CONFIG_VARIABLE):
        text = Path(file).read_text("utf-8")
        if name in tomllib.loads(text):
            return f"{file}:{line_of(text, place)}"
    return ""


def describe(problem: ErrorDetails, flags: Mapping[str, Any]) -> str:
    """A problem in a line: where, what, why."""
    place = problem["loc"]
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        near = get_close_matches(str(place[-1]), Settings.model_fields, 1) if len(place) == 1 else []
        message = "there is no such setting" + (f"; did you mean {near[0]}?" if near else "")
    where = origin(place, flags)
    return ": ".join(part for part in (where, ".".join(map(str, place)), message) if part)


def line_of(text: str, place: Place) -> int:
    """The first line of what gives a value in a TOML file; of what is around it when the value is missing."""
    lines = text.splitlines(keepends=True)
    for depth in range(len(place), 0, -1):
        whole = 0
        for number, data in _beginnings(lines):
            if _has(data, place[:depth]):
                return whole + 1
            whole = number
    return 1


def misspelt_variables() -> Iterator[tuple[str, str]]:
    """Variables of the environment that are no settings, with the ones that may be meant."""
    settings = [PREFIX + name.upper() for name in Settings.model_fields]
    for variable in os.environ:
        if variable.startswith(PREFIX) and variable not in settings:
            yield from ((variable, near) for near in get_close_matches(variable, settings, 1, 0.9))


def _beginnings(lines: Sequence[str]) -> Iterator[tuple[int, Any]]:
    """Every beginning of a file that is whole by itself: how many lines, and what they say."""
    for number in range(1, len(lines) + 1):
        try:
            yield number, tomllib.loads("".join(lines[:number]))
        except tomllib.TOMLDecodeError:  # in the middle of a value
            continue


def _has(data: Any, place: Place) -> bool:
    for key in place:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True
