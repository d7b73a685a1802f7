"""Names of resources, read strictly and written."""

import re
from collections.abc import Sequence

from quipu_server.errors import InvalidArgument
from quipu_server.rpc.validate import check_count

MOST_NAMES = 1_000

_ID = r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}"
_ID_RULE = "1 to 128 letters, digits, '.', '_', '~', '-', beginning with a letter or digit"
_ID_ONLY = re.compile(_ID)
_SPACE = re.compile(rf"spaces/({_ID})")
_MEMORY = re.compile(rf"spaces/({_ID})/memories/({_ID})")
_MODEL = re.compile(rf"models/({_ID})")


def is_id(text: str) -> bool:
    """Tell whether a text can be the id of a space or memory."""
    return _ID_ONLY.fullmatch(text) is not None


def check_id(text: str, path: str) -> str:
    """The id. Raises InvalidArgument."""
    if not is_id(text):
        raise InvalidArgument(path, f"must be {_ID_RULE}")
    return text


def read_space(name: str, path: str) -> str:
    """The id in `spaces/{space}`. Raises InvalidArgument."""
    return _read(_SPACE, name, path, "spaces/{space}")[1]


def read_memory(name: str, path: str) -> tuple[str, str]:
    """The ids in `spaces/{space}/memories/{memory}`. Raises InvalidArgument."""
    found = _read(_MEMORY, name, path, "spaces/{space}/memories/{memory}")
    return found[1], found[2]


def read_model(name: str, path: str) -> str:
    """The id in `models/{model}`; empty when no model is named. Raises InvalidArgument."""
    return _read(_MODEL, name, path, "models/{model}")[1] if name else ""


def write_space(space: str) -> str:
    return f"spaces/{space}"


def write_memory(space: str, memory_id: str) -> str:
    return f"spaces/{space}/memories/{memory_id}"


def write_model(model: str) -> str:
    return f"models/{model}"


def _read(pattern: re.Pattern[str], name: str, path: str, form: str) -> re.Match[str]:
    if (found := pattern.fullmatch(name)) is None:
        raise InvalidArgument(path, f"must be a name of the form {form}; an id has {_ID_RULE}")
    return found


def read_memories(memory_names: Sequence[str], space: str) -> Sequence[str]:
    """The ids of 1 to 1,000 memories of a space, from a field `names`. Raises InvalidArgument."""
    check_count(memory_names, "names", MOST_NAMES, least=1)
    ids = []
    for i, name in enumerate(memory_names):
        home, memory_id = read_memory(name, f"names[{i}]")
        if home != space:
            raise InvalidArgument(f"names[{i}]", f"is not below {write_space(space)}")
        ids.append(memory_id)
    return ids
