"""Memories, to and from messages."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import TypeVar

from quipu.v1 import memory_pb2
from quipu_server.domain import Change, Kind, Memory, MemoryFields, Role
from quipu_server.errors import InvalidArgument
from quipu_server.rpc.fields import check_id, check_number, check_text, parse_time
from quipu_server.rpc.values import build_value, parse_metadata

Member = TypeVar("Member")

MOST_TAGS, LONGEST_TAG, LONGEST_SPEAKER = 64, 128, 256
FIELD_NAMES = frozenset(f.name for f in fields(MemoryFields))
KINDS = {0: Kind.EPISODIC} | {kind.value: kind for kind in Kind}
ROLES = {role.value: role for role in Role}


def parse_fields(memory: memory_pb2.Memory, path: str, content_bytes: int, *, required: bool = True) -> MemoryFields:
    """What a message says of a memory; `required` wants content."""
    return MemoryFields(
        content=check_text(memory.content, f"{path}.content", content_bytes, required=required),
        kind=parse_enum(KINDS, memory.kind, f"{path}.kind"),
        role=parse_enum(ROLES, memory.role, f"{path}.role"),
        speaker=check_text(memory.speaker, f"{path}.speaker", LONGEST_SPEAKER),
        session=check_id(memory.session, f"{path}.session") if memory.session else "",
        tags=parse_tags(memory, f"{path}.tags"),
        metadata=parse_metadata(memory.metadata, f"{path}.metadata") if memory.metadata else {},
        importance=parse_importance(memory, f"{path}.importance"),
        event_time=parse_time(memory.event_time, f"{path}.event_time") if memory.HasField("event_time") else None,
        expire_time=parse_expiry(memory, f"{path}.expire_time"),
    )


def parse_enum(members: Mapping[int, Member], number: int, path: str) -> Member:
    if number not in members:
        raise InvalidArgument(path, f"{number} is not a value of this enum")
    return members[number]


def parse_tags(memory: memory_pb2.Memory, path: str) -> tuple[str, ...]:
    if len(memory.tags) > MOST_TAGS:
        raise InvalidArgument(path, f"has more than {MOST_TAGS} tags")
    checked = [check_text(tag, f"{path}[{i}]", LONGEST_TAG, required=True) for i, tag in enumerate(memory.tags)]
    return tuple(dict.fromkeys(checked))


def parse_importance(memory: memory_pb2.Memory, path: str) -> float:
    return check_number(memory.importance, path, 0.0, 1.0) if memory.HasField("importance") else 0.5


def parse_expiry(memory: memory_pb2.Memory, path: str) -> datetime | None:
    if not memory.HasField("expire_time"):
        return None
    time = parse_time(memory.expire_time, path)
    if time <= datetime.now(UTC):
        raise InvalidArgument(path, "must lie in the future")
    return time


def parse_mask(paths: list[str], memory: memory_pb2.Memory) -> frozenset[str]:
    """The fields an update names; those set in the message when it names none."""
    known = FIELD_NAMES | {"vector"}
    if not paths:
        return frozenset(field.name for field, _ in memory.ListFields() if field.name in known)
    if "*" in paths:
        return known if memory.HasField("vector") else FIELD_NAMES
    for place, path in enumerate(paths):
        if path not in known and not (path.startswith("metadata.") and len(path) > len("metadata.")):
            raise InvalidArgument(f"update_mask.paths[{place}]", f"there is no field {path[:128]!r} to update")
    return frozenset(paths)


def build_memory(memory: Memory, space: str) -> memory_pb2.Memory:
    """The message of a memory."""
    values = memory.fields
    message = memory_pb2.Memory(
        name=f"spaces/{space}/memories/{memory.memory_id}",
        content=values.content,
        kind=values.kind.value,  # type: ignore[arg-type]
        role=values.role.value,  # type: ignore[arg-type]
        speaker=values.speaker,
        session=values.session,
        tags=values.tags,
        importance=values.importance,
        etag=memory.etag,
        revision=memory.revision,
    )
    for key, value in values.metadata.items():
        message.metadata[key].CopyFrom(build_value(value))
    message.create_time.FromDatetime(memory.create_time)
    message.update_time.FromDatetime(memory.update_time)
    if values.event_time is not None:
        message.event_time.FromDatetime(values.event_time)
    if values.expire_time is not None:
        message.expire_time.FromDatetime(values.expire_time)
    if memory.is_deleted:
        message.delete_time.FromDatetime(memory.update_time)
    return message


def build_revision(memory: Memory, space: str) -> memory_pb2.MemoryRevision:
    """The message of one entry of a history."""
    return memory_pb2.MemoryRevision(
        revision=memory.revision,
        change=Change(memory.change).value,  # type: ignore[arg-type]
        memory=build_memory(memory, space),
    )
