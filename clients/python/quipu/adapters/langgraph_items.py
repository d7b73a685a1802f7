"""Items of LangGraph as memories, and back."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, TypeAlias

from langgraph.store.base import Item, PutOp, SearchItem, get_text_at_path

from quipu.adapters.texts import clip, pieces, whole
from quipu.fields import Draft, metadata
from quipu.v1.memory_pb2 import Memory
from quipu.values import MetadataValue, Scalar, to_datetime, to_value

Namespace: TypeAlias = tuple[str, ...]

WHOLE = "$"
"""The path of a value as a whole."""
FIELD = "value."
"""Before the key of a field of the value, in the metadata."""
MOST_CONTENT_BYTES = 32_768
MOST_FIELDS = 40
"""That are kept as metadata to filter by, of the 64 keys that a memory may have."""
MOST_KEY_BYTES = 64
MOST_FIELD_BYTES = 128
MOST_FIELDS_BYTES = 3_000
"""Of all of them, so that metadata has room for a value in pieces as well."""


def memory_id(namespace: Sequence[str], key: str) -> str:
    """The id of the memory of an item. Keys of LangGraph may be any text."""
    return sha256(dump([*namespace, key]).encode()).hexdigest()


def dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def draft(memory_id: str, op: PutOp, fields: Sequence[str]) -> Draft:
    """The memory of an item that is put. fields: paths of what to index, unless the operation names some."""
    value = op.value or {}
    written = dump(value)
    text = _text(value, fields if op.index is None else op.index or ())
    content = clip(text or written, MOST_CONTENT_BYTES)
    about: dict[str, Any] = {
        "namespace": dump(op.namespace),
        "prefixes": [dump(op.namespace[:depth]) for depth in range(1, len(op.namespace) + 1)],
        "key": op.key,
        "updated": datetime.now(UTC),
        "indexed": bool(text),
        "ttl": op.ttl,
        "value": None if content == written else [*pieces(written)],
    }
    ttl = None if op.ttl is None else datetime.now(UTC) + timedelta(minutes=op.ttl)
    return {"id": memory_id, "content": content, "metadata": about | _filterable(value), "expire_time": ttl}


def to_item(memory: Memory) -> Item:
    return Item(**_arguments(memory))


def to_search_item(memory: Memory, score: float | None) -> SearchItem:
    return SearchItem(**_arguments(memory), score=score)


def namespace_of(memory: Memory) -> Namespace:
    return tuple(json.loads(memory.metadata["namespace"].string_value))


def ttl_of(memory: Memory) -> timedelta | None:
    return timedelta(minutes=memory.metadata["ttl"].number_value) if "ttl" in memory.metadata else None


def scalar(value: object) -> Scalar | None:
    """A value that metadata can hold and a filter can compare, if it is one."""
    if not isinstance(value, str | float | int) or len(str(value).encode()) > MOST_FIELD_BYTES:
        return None
    try:
        to_value(value)
    except (ValueError, OverflowError):
        return None
    return value


def _arguments(memory: Memory) -> dict[str, Any]:
    about = metadata(memory)
    return {
        "value": json.loads(whole(about["value"]) if "value" in about else memory.content),
        "key": about["key"],
        "namespace": namespace_of(memory),
        "created_at": to_datetime(memory.create_time),
        "updated_at": about["updated"],
    }


def _text(value: Mapping[str, Any], paths: Sequence[str]) -> str:
    """What is indexed; the whole value as it is written, so that it need not be kept twice."""
    texts = [[dump(value)] if path == WHOLE else get_text_at_path(value, path) for path in paths]
    return "\n".join(text for part in texts for text in part)


def _filterable(value: Mapping[str, Any]) -> dict[str, MetadataValue]:
    """The fields that the server can filter by; `partial` says that there are others that it could with more room."""
    plain = {key: field for key, field in value.items() if isinstance(field, str | float | int)}
    known = {key: scalar(field) for key, field in plain.items() if len(key.encode()) <= MOST_KEY_BYTES}
    kept: dict[str, MetadataValue] = {f"{FIELD}{key}": field for key, field in known.items() if field is not None}
    size = sum(len(f"{key}{field}".encode()) for key, field in kept.items())
    if len(kept) > MOST_FIELDS or size > MOST_FIELDS_BYTES:
        kept = {}
    return kept if len(kept) == len(plain) else {**kept, "partial": True}
