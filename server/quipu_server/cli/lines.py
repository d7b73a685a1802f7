"""Memories as lines of JSON: the form of import, export and `--json`.

A line is an object with the field names of Memory in the API. Times are RFC 3339. Metadata is plain JSON; a time in it
is `{"time": "2024-05-08T13:56:00Z"}`, so that it is not taken for text.
"""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn, cast

if TYPE_CHECKING:
    from quipu import Draft, Memory

TIMES = ("event_time", "expire_time")
OUTPUTS = (
    "name",
    "create_time",
    "update_time",
    "delete_time",
    "archive_time",
    "etag",
    "revision",
    "redactions",
    "feedback",
    "importance_given",
)
"""Fields that only the server sets: shown by `--json`, ignored in what is imported."""
DEFAULT_IMPORTANCE = 0.5


def from_line(line: bytes) -> "Draft":
    """Read a line. Raises ValueError, saying what is wrong with it."""
    from quipu.fields import to_memory

    try:
        fields = json.loads(line.decode("utf-8-sig"), parse_constant=_refuse)
        draft = {key: _read(key, value) for key, value in _object(fields).items() if key not in OUTPUTS}
        _check_text(draft)
        to_memory({key: value for key, value in draft.items() if key != "id"})
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return cast("Draft", draft)


def to_line(memory: "Memory") -> str:
    """A memory as a line that can be imported: without what only the server sets."""
    # Imported, the default would be an importance that somebody gave.
    is_default = not memory.importance_given and memory.importance == DEFAULT_IMPORTANCE
    left_out = (*OUTPUTS, "importance") if is_default else OUTPUTS
    return dump({key: value for key, value in as_document(memory).items() if key not in left_out})


def as_document(memory: "Memory") -> dict[str, Any]:
    """What is set in a memory, for JSON."""
    from quipu import from_memory

    plain = from_memory(memory)
    document = {key: write_time(value) if isinstance(value, datetime) else value for key, value in plain.items()}
    return document | {key: writable(plain[key]) for key in plain if key == "metadata"}


def dump(document: Any) -> str:
    """JSON on one line."""
    return json.dumps(document, ensure_ascii=False)


def to_plain(value: Any) -> Any:
    """A value of metadata from JSON. Raises ValueError for a bad time."""
    match value:
        case {"time": str(time)} if len(value) == 1:
            return read_time(time)
        case list():
            return [to_plain(item) for item in value]
    return value


def read_time(text: str) -> datetime:
    """Read RFC 3339. Raises ValueError, also for a time without a zone."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return time


def write_time(time: datetime) -> str:
    """RFC 3339 in UTC."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _read(key: str, value: Any) -> Any:
    try:
        if key in TIMES and isinstance(value, str):
            return read_time(value)
        if key == "metadata" and isinstance(value, dict):
            return {name: to_plain(item) for name, item in value.items()}
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error
    return value


def writable(value: Any) -> Any:
    """A value of metadata for JSON."""
    match value:
        case dict():
            return {key: writable(item) for key, item in value.items()}
        case list():
            return [writable(item) for item in value]
        case datetime():
            return {"time": write_time(value)}
    return value


def _object(fields: Any) -> dict[str, Any]:
    if not isinstance(fields, dict):
        raise ValueError("a line must be a JSON object")
    return fields


def _check_text(draft: dict[str, Any]) -> None:
    for key in ("content", "id"):
        if not isinstance(draft.get(key, ""), str):
            raise ValueError(f"{key}: must be text")
    if not draft.get("content"):
        raise ValueError("content: is missing")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number of JSON")
