"""What the texts of a scenario stand for."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

_VARIABLE = re.compile(r"\$\{([^}]+)\}")


def fill(template: Any, variables: Mapping[str, Any]) -> Any:
    """A value of a scenario with variables in place, and `$repeat`, `$count` and `$time` carried out."""
    match template:
        case str():
            return _fill_text(template, variables)
        case list():
            return [fill(item, variables) for item in template]
        case {"$repeat": str(text), "times": int(times)}:
            return text * times
        case {"$count": int(count), **item}:
            return [fill(item, {**variables, "n": n}) for n in range(count)]
        case {"$time": str(time)}:
            return datetime.fromisoformat(time)
        case dict():
            return {fill(key, variables): fill(value, variables) for key, value in template.items()}
    return template


def _fill_text(text: str, variables: Mapping[str, Any]) -> Any:
    if whole := _VARIABLE.fullmatch(text):
        return _look_up(whole[1], variables)
    return _VARIABLE.sub(lambda found: str(_look_up(found[1], variables)), text)


def _look_up(path: str, variables: Mapping[str, Any]) -> Any:
    """Follow a path through fields and places. Raises LookupError."""
    value: Any = variables
    for part in path.split("."):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (LookupError, TypeError) as error:
            raise LookupError(f"there is no {part} for ${{{path}}}") from error
    return value
