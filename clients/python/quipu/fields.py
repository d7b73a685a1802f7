"""What callers say of a memory as keyword arguments, and what a memory says as plain Python values."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, Required, TypeAlias, TypedDict, cast, get_args

from quipu.v1.memory_pb2 import Memory, MemoryChange, MemoryKind, Redaction, RedactionKind, Role, Verdict
from quipu.v1.value_pb2 import Value
from quipu.values import (
    MetadataValue,
    PlainValue,
    VectorLike,
    from_value,
    to_datetime,
    to_timestamp,
    to_value,
    to_vector,
)

KindName: TypeAlias = Literal["episodic", "semantic", "procedural", "profile", "working", "tool_result"]
RoleName: TypeAlias = Literal["user", "assistant", "system", "tool"]
VerdictName: TypeAlias = Literal["useful", "irrelevant", "outdated", "wrong"]


ChangeName: TypeAlias = Literal[
    "created", "updated", "deleted", "undeleted", "embedded", "archived", "unarchived", "erased"
]


class Fields(TypedDict, total=False):
    """What a memory has beside its content, as described at `Memory`. None stands for: not set.

    Times need a time zone. `vector` is an array or a list of numbers, made with the model of the space.
    """

    kind: KindName | None
    role: RoleName | None
    speaker: str | None
    session: str | None
    tags: Iterable[str] | None
    metadata: Mapping[str, MetadataValue | None] | None
    importance: float | None
    event_time: datetime | None
    expire_time: datetime | None
    vector: VectorLike | None


class Changes(Fields, total=False):
    """The fields to change; None clears a field."""

    content: str


class Draft(Fields, total=False):
    """A memory to add."""

    content: Required[str]
    id: str | None


DraftLike: TypeAlias = str | Draft
"""A memory to add, or its content."""


def id_and_memory(draft: DraftLike) -> tuple[str, Memory]:
    """The id of a memory to add, empty when the server shall make one, and the memory."""
    if isinstance(draft, str):
        return "", Memory(content=draft)
    fields = {key: value for key, value in draft.items() if key != "id"}
    return draft.get("id") or "", to_memory(fields)


def to_memory(fields: Mapping[str, Any]) -> Memory:
    """Build a memory from Changes or the fields of a Draft. Raises TypeError and ValueError, naming the field."""
    return Memory(**{key: _convert(key, value) for key, value in fields.items() if value is not None})


def from_memory(memory: Memory) -> dict[str, Any]:
    """What is set in a memory as plain Python values: its `id`, and all fields by their names."""
    plain = {field.name: _READERS.get(field.name, _as_it_is)(value) for field, value in memory.ListFields()}
    return {"id": memory.name.rpartition("/")[2], **plain}


def metadata(memory: Memory) -> dict[str, PlainValue]:
    """The metadata of a memory as plain Python values."""
    return _plain_metadata(memory.metadata)


def change_name(change: int) -> ChangeName:
    """A value of `MemoryChange` in plain words."""
    return cast("ChangeName", _name(MemoryChange, "MEMORY_CHANGE_")(change))


def to_verdict(name: str) -> Verdict.ValueType:
    """A value of `Verdict`. Raises ValueError."""
    return Verdict.Value(_number("VERDICT_", VerdictName)(name))


def _convert(key: str, value: Any) -> Any:
    if key not in _CONVERTERS:
        raise TypeError(f"{key!r} is not a field; there are {', '.join(_CONVERTERS)}")
    try:
        return _CONVERTERS[key](value)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error
    except (TypeError, AttributeError) as error:
        raise TypeError(f"{key}: {error}") from error


def _number(prefix: str, names: Any) -> Callable[[str], str]:
    """A converter to the value of an enum, from its name in lower case."""

    def convert(name: str) -> str:
        if name not in get_args(names):
            raise ValueError(f"{name!r} is not one of {', '.join(get_args(names))}")
        return f"{prefix}{name.upper()}"

    return convert


def _name(enum: Any, prefix: str) -> Callable[[int], str]:
    """A reader of a value of an enum: its name in lower case."""
    return lambda number: enum.Name(number).removeprefix(prefix).lower()


def _text(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"needs a string, not {type(text).__name__}")
    return text


def _texts(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str):
        raise TypeError("needs a list of strings, not one string")
    return [_text(text) for text in texts]


def _metadata(metadata: Mapping[str, MetadataValue | None]) -> dict[str, Value]:
    if not isinstance(metadata, Mapping):
        raise TypeError(f"needs a mapping, not {type(metadata).__name__}")
    return {_text(key): to_value(value) for key, value in metadata.items() if value is not None}


def _plain_metadata(metadata: Mapping[str, Value]) -> dict[str, PlainValue]:
    return {key: from_value(value) for key, value in sorted(metadata.items())}


def _redactions(redactions: Iterable[Redaction]) -> list[dict[str, Any]]:
    name = _name(RedactionKind, "REDACTION_KIND_")
    return [{"field": r.field, "kind": name(r.kind), "start": r.start, "end": r.end} for r in redactions]


def _as_it_is(value: Any) -> Any:
    return value


_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    "content": _text,
    "kind": _number("MEMORY_KIND_", KindName),
    "role": _number("ROLE_", RoleName),
    "speaker": _text,
    "session": _text,
    "tags": _texts,
    "metadata": _metadata,
    "importance": float,
    "event_time": to_timestamp,
    "expire_time": to_timestamp,
    "vector": to_vector,
}

_READERS: Mapping[str, Callable[[Any], Any]] = {
    "kind": _name(MemoryKind, "MEMORY_KIND_"),
    "role": _name(Role, "ROLE_"),
    "tags": list,
    "metadata": _plain_metadata,
    "event_time": to_datetime,
    "expire_time": to_datetime,
    "create_time": to_datetime,
    "update_time": to_datetime,
    "delete_time": to_datetime,
    "archive_time": to_datetime,
    "redactions": _redactions,
    "feedback": lambda counts: {field.name: count for field, count in counts.ListFields()},
}
