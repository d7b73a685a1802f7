"""Memories."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from quipu.v1.memory_pb2 import FeedbackCounts, MemoryChange, MemoryKind, MemoryRevision, RedactionKind
from quipu.v1.memory_pb2 import Memory as MemoryMessage
from quipu.v1.memory_pb2 import Redaction as RedactionMessage
from quipu.v1.memory_pb2 import Role as RoleNumber
from quipu.v1.memory_service_pb2 import (
    CreateMemoryRequest,
    IngestItem,
    MemoryUse,
    RecordFeedbackRequest,
    UpdateMemoryRequest,
)
from quipu.v1.session_service_pb2 import NewMessage
from quipu_server.domain import Kind, Memory, MemoryFields, Role, Vector, Verdict
from quipu_server.errors import InvalidArgument
from quipu_server.filters import METADATA_PREFIX
from quipu_server.inputs import Draft, Patch
from quipu_server.ports.uses import Use
from quipu_server.rpc import names
from quipu_server.rpc.convert.masks import read_mask
from quipu_server.rpc.convert.times import read_time, write_optional_time, write_time
from quipu_server.rpc.convert.values import MOST_KEY_BYTES, read_metadata, read_vector, write_value
from quipu_server.rpc.validate import check_count, check_known, check_number, check_pattern, check_text

MOST_SPEAKER_BYTES = 256
MOST_TAGS = 64
MOST_TAG_BYTES = 128

_SESSION = re.compile(r"[A-Za-z0-9._~-]{0,128}")
_SESSION_RULE = "at most 128 letters, digits, '.', '_', '~', '-'"

_DEFAULT_IMPORTANCE = 0.5
_KINDS = {0: Kind.EPISODIC, **{kind.value: kind for kind in Kind}}
_ROLES = {role.value: role for role in Role}
_REDACTION_KINDS = {name.removeprefix("REDACTION_KIND_").lower(): number for name, number in RedactionKind.items()}
_VERDICTS = {verdict.value: verdict for verdict in Verdict}
_PATHS = frozenset({"content", "kind", "role", "speaker", "session", "tags", "metadata", "importance", "event_time",
                    "expire_time", "vector"})  # fmt: skip


def read_draft(request: CreateMemoryRequest | IngestItem | NewMessage, path: str, most_content_bytes: int) -> Draft:
    """A memory to create. `path` goes before the fields of the request. Raises InvalidArgument."""
    fields = read_fields(request.memory, f"{path}memory", most_content_bytes)
    if not fields.content:
        raise InvalidArgument(f"{path}memory.content", "must not be empty")
    memory_id = names.check_id(request.memory_id, f"{path}memory_id") if request.memory_id else None
    return Draft(fields, memory_id, _read_vector(request.memory, f"{path}memory"), f"{path}memory")


def read_patch(request: UpdateMemoryRequest, most_content_bytes: int) -> Patch:
    """The new values of an update, and which of them to take. Raises InvalidArgument."""
    fields = read_fields(request.memory, "memory", most_content_bytes)
    paths = read_mask(request, request.memory, _PATHS, _is_key_path)
    return Patch(fields, paths, _read_vector(request.memory, "memory") if "vector" in paths else None)


def read_fields(message: MemoryMessage, path: str, most_content_bytes: int) -> MemoryFields:
    """What a message says of a memory; without content when it brings none. Raises InvalidArgument."""
    return MemoryFields(
        content=check_text(message.content, f"{path}.content", most_content_bytes),
        kind=check_known(message.kind, f"{path}.kind", _KINDS),
        role=check_known(message.role, f"{path}.role", _ROLES),
        speaker=check_text(message.speaker, f"{path}.speaker", MOST_SPEAKER_BYTES),
        session=check_pattern(message.session, f"{path}.session", _SESSION, _SESSION_RULE),
        tags=_read_tags(message.tags, f"{path}.tags"),
        metadata=read_metadata(message.metadata, f"{path}.metadata"),
        importance=_read_importance(message, f"{path}.importance"),
        importance_given=message.HasField("importance"),
        event_time=read_time(message.event_time, f"{path}.event_time") if message.HasField("event_time") else None,
        expire_time=_read_expire_time(message, f"{path}.expire_time"),
    )


def write_memory(memory: Memory, space: str) -> MemoryMessage:
    """The message of a memory; `space` is the id of its space."""
    fields = memory.fields
    return MemoryMessage(
        name=names.write_memory(space, memory.memory_id),
        content=fields.content,
        kind=MemoryKind.ValueType(fields.kind),
        role=RoleNumber.ValueType(fields.role),
        speaker=fields.speaker,
        session=fields.session,
        tags=fields.tags,
        metadata={key: write_value(value) for key, value in fields.metadata.items()} if fields.metadata else None,
        importance=fields.importance,
        event_time=write_optional_time(fields.event_time),
        expire_time=write_optional_time(fields.expire_time),
        create_time=write_time(memory.create_time),
        update_time=write_time(memory.update_time),
        delete_time=write_time(memory.update_time) if memory.is_deleted else None,
        archive_time=write_time(memory.update_time) if memory.is_archived else None,
        etag=memory.etag,
        revision=memory.revision,
        redactions=write_redactions(memory),
        feedback=_write_feedback(fields.feedback),
        importance_given=fields.importance_given,
    )


def write_redactions(memory: Memory) -> Sequence[RedactionMessage]:
    """What was left out of a memory that was just written."""
    return [
        RedactionMessage(field=each.field, kind=_REDACTION_KINDS[each.kind], start=each.start, end=each.end)
        for each in memory.redactions
    ]


def read_verdict(request: RecordFeedbackRequest) -> Verdict:
    """What is said of a memory. Raises InvalidArgument."""
    return check_known(request.verdict, "verdict", _VERDICTS)


def write_use(space: str, memory_id: str, use: Use | None) -> MemoryUse:
    """How often a memory of a space was found; None: never."""
    name = names.write_memory(space, memory_id)
    if use is None:
        return MemoryUse(name=name)
    return MemoryUse(name=name, count=use.count, last_use_time=write_time(use.last_time))


def write_revision(memory: Memory, space: str) -> MemoryRevision:
    """One entry of the history of a memory."""
    change = MemoryChange.ValueType(memory.change)
    return MemoryRevision(revision=memory.revision, change=change, memory=write_memory(memory, space))


def _write_feedback(counts: Sequence[int]) -> FeedbackCounts | None:
    names = (verdict.name.lower() for verdict in Verdict)
    return FeedbackCounts(**dict(zip(names, counts, strict=True))) if any(counts) else None


def _read_tags(tags: Sequence[str], path: str) -> tuple[str, ...]:
    """The tags in their order, each once."""
    check_count(tags, path, MOST_TAGS)
    for i, tag in enumerate(tags):
        check_text(tag, f"{path}[{i}]", MOST_TAG_BYTES, required=True)
    return tuple(dict.fromkeys(tags))


def _read_importance(message: MemoryMessage, path: str) -> float:
    return check_number(message.importance, path, 0, 1) if message.HasField("importance") else _DEFAULT_IMPORTANCE


def _read_expire_time(message: MemoryMessage, path: str) -> datetime | None:
    if not message.HasField("expire_time"):
        return None
    if (time := read_time(message.expire_time, path)) <= datetime.now(UTC):
        raise InvalidArgument(path, "must lie in the future")
    return time


def _read_vector(message: MemoryMessage, path: str) -> Vector | None:
    return read_vector(message.vector, f"{path}.vector") if message.HasField("vector") else None


def _is_key_path(path: str) -> bool:
    """Tell whether a path of a mask is `metadata.{key}`."""
    key = path.removeprefix(METADATA_PREFIX)
    return path.startswith(METADATA_PREFIX) and 1 <= len(key.encode()) <= MOST_KEY_BYTES and "\0" not in key
