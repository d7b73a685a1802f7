"""Names of resources, read strictly and written. Every space that a request names is read here, and here only it is
checked whether the caller's key is good for it."""

import re
from collections.abc import Sequence

from quipu_server.access.domain import caller_or_nobody
from quipu_server.errors import InvalidArgument
from quipu_server.ports.retention import ALL_SPACES
from quipu_server.rpc.validate import check_count

MOST_NAMES = 1_000

_ID = r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}"
_ID_RULE = "1 to 128 letters, digits, '.', '_', '~', '-', beginning with a letter or digit"
_ID_ONLY = re.compile(_ID)
_SPACE = re.compile(rf"spaces/({_ID})")
_MEMORY = re.compile(rf"spaces/({_ID})/memories/({_ID})")
_JOB = re.compile(rf"jobs/({_ID})")
_TENANT = re.compile(rf"tenants/({_ID})")
_API_KEY = re.compile(rf"tenants/({_ID})/apiKeys/({_ID})")
_SESSION_ID = r"[A-Za-z0-9._~-]{1,128}"
_SESSION = re.compile(rf"spaces/({_ID})/sessions/({_SESSION_ID})")
_MODEL = re.compile(rf"models/({_ID})")
_ANY_SPACE = re.compile(rf"spaces/({_ID}|{ALL_SPACES})")
_POLICY = re.compile(rf"spaces/({_ID}|{ALL_SPACES})/retentionPolicies/({_ID})")


def is_id(text: str) -> bool:
    """Tell whether a text can be the id of a space or memory."""
    return _ID_ONLY.fullmatch(text) is not None


def check_id(text: str, path: str) -> str:
    """The id. Raises InvalidArgument."""
    if not is_id(text):
        raise InvalidArgument(path, f"must be {_ID_RULE}")
    return text


def check_space_id(text: str, path: str) -> str:
    """The id of a space. Raises InvalidArgument, SpaceNotAllowed."""
    return _allowed(check_id(text, path))


def read_space(name: str, path: str) -> str:
    """The id in `spaces/{space}`. Raises InvalidArgument, SpaceNotAllowed."""
    return _allowed(_read(_SPACE, name, path, "spaces/{space}")[1])


def read_space_or_all(name: str, path: str) -> str:
    """The id in `spaces/{space}`, or that of all spaces. Raises InvalidArgument, SpaceNotAllowed."""
    return _allowed(_read(_ANY_SPACE, name, path, "spaces/{space} or spaces/-")[1])


def read_policy(name: str, path: str) -> tuple[str, str]:
    """The ids in `spaces/{space}/retentionPolicies/{policy}`. Raises InvalidArgument, SpaceNotAllowed."""
    found = _read(_POLICY, name, path, "spaces/{space}/retentionPolicies/{policy}")
    return _allowed(found[1]), found[2]


def read_memory(name: str, path: str) -> tuple[str, str]:
    """The ids in `spaces/{space}/memories/{memory}`. Raises InvalidArgument, SpaceNotAllowed."""
    found = _read(_MEMORY, name, path, "spaces/{space}/memories/{memory}")
    return _allowed(found[1]), found[2]


def read_tenant(name: str, path: str) -> str:
    """The id in `tenants/{tenant}`. Raises InvalidArgument."""
    return _read(_TENANT, name, path, "tenants/{tenant}")[1]


def read_api_key(name: str, path: str) -> tuple[str, str]:
    """The ids in `tenants/{tenant}/apiKeys/{key}`. Raises InvalidArgument."""
    found = _read(_API_KEY, name, path, "tenants/{tenant}/apiKeys/{key}")
    return found[1], found[2]


def read_session(name: str, path: str) -> tuple[str, str]:
    """The ids in `spaces/{space}/sessions/{session}`. Raises InvalidArgument, SpaceNotAllowed."""
    if (found := _SESSION.fullmatch(name)) is None:
        rule = "of a session: 1 to 128 letters, digits, '.', '_', '~', '-'"
        raise InvalidArgument(path, f"must be a name of the form spaces/{{space}}/sessions/{{session}}; an id {rule}")
    return _allowed(found[1]), found[2]


def read_model(name: str, path: str) -> str:
    """The id in `models/{model}`; empty when no model is named. Raises InvalidArgument."""
    return _read(_MODEL, name, path, "models/{model}")[1] if name else ""


def read_job(name: str, path: str) -> str:
    """The id in `jobs/{job}`. Raises InvalidArgument."""
    return _read(_JOB, name, path, "jobs/{job}")[1]


def write_space(space: str) -> str:
    return f"spaces/{space}"


def write_memory(space: str, memory_id: str) -> str:
    return f"spaces/{space}/memories/{memory_id}"


def write_session(space: str, session: str) -> str:
    return f"spaces/{space}/sessions/{session}"


def write_model(model: str) -> str:
    return f"models/{model}"


def write_job(job: str) -> str:
    return f"jobs/{job}"


def _allowed(space: str) -> str:
    if (who := caller_or_nobody()) is not None:
        who.check_space(space)
    return space


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
