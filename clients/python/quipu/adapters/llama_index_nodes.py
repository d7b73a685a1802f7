"""Nodes of LlamaIndex as memories, and back."""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

from llama_index.core.schema import BaseNode, MetadataMode
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict

from quipu.adapters.texts import pieces, whole
from quipu.fields import Draft, metadata
from quipu.v1.memory_pb2 import Memory
from quipu.values import to_value

CONTENT, TYPE = "_node_content", "_node_type"
"""Keys of metadata with the node as JSON, and with its class."""
DOCUMENT = "ref_doc_id"
MOST_KEY_BYTES = 128

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")


def memory_id(node_id: str) -> str:
    """The id of the memory of a node: its own, if a memory can have it."""
    return node_id if _ID.fullmatch(node_id) else sha256(node_id.encode()).hexdigest()


def draft(node: BaseNode, *, with_vector: bool) -> Draft:
    """The memory of a node. Its metadata can be filtered by where it is text, numbers, booleans or lists of them."""
    about = node_to_metadata_dict(node, remove_text=True)
    kept = {**dict(_filterable(about)), CONTENT: [*pieces(about[CONTENT])]}
    made: Draft = {
        "id": memory_id(node.node_id),
        "content": node.get_content(metadata_mode=MetadataMode.NONE),
        "metadata": kept,
    }
    return {**made, "vector": node.get_embedding()} if with_vector else made


def to_node(memory: Memory) -> BaseNode:
    about: dict[str, Any] = metadata(memory)
    return metadata_dict_to_node({CONTENT: whole(about[CONTENT]), TYPE: about[TYPE]}, text=memory.content)


def _filterable(about: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in about.items():
        if key != CONTENT and len(key.encode()) <= MOST_KEY_BYTES and _is_plain(value):
            yield key, value


def _is_plain(value: Any) -> bool:
    try:
        to_value(value)
    except (TypeError, ValueError):
        return False
    return bool(value != [])
