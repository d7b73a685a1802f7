"""The ports of the store together, and writes to put into them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import numpy as np

from quipu_server.domain import (
    Change,
    Memory,
    MemoryFields,
    Passage,
    RequestKey,
    Space,
    Vectors,
    Write,
)
from quipu_server.ports import LogSource, MemoryStore, SpaceStore
from quipu_server.ports.retention import PolicyStore, RetentionStore
from quipu_server.ports.sessions import SessionStore

DIMENSION = 8
TENANTS = ("one", "two", "other")
"""Those that there are beside the one of servers without credentials."""


@dataclass(frozen=True, slots=True)
class Stores:
    """One implementation of each port, over the same data."""

    spaces: SpaceStore
    memories: MemoryStore
    log: LogSource
    sessions: SessionStore
    policies: PolicyStore
    retention: RetentionStore

    async def new_space(self, name: str = "") -> Space:
        return await self.spaces.create_space(a_space(name), None)

    async def revision(self, space: Space) -> int:
        return (await self.log.heads([space.id]))[space.id].revision


def a_space(name: str = "", tenant: str = "default") -> Space:
    """A space that is not stored yet."""
    return Space(uuid4(), tenant, name or f"s{uuid4().hex}", "model", "fingerprint")


def a_request(digest: bytes = b"digest") -> RequestKey:
    return RequestKey(uuid4(), digest)


def unit_vectors(count: int, seed: int = 0) -> Vectors:
    """Random rows of unit length."""
    rows = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    scaled: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled


def a_passage(content: str, chunks: int = 1, seed: int = 0) -> Passage:
    """The passage of a text: its words are its terms."""
    words = content.split()
    terms = tuple(dict.fromkeys(words))
    spans = np.array([(i, i + 2) for i in range(chunks)], dtype=np.int32)
    counts = tuple(words.count(term) for term in terms)
    return Passage(uuid4(), content, terms, counts, len(words), unit_vectors(chunks, seed), spans)


def a_creation(memory_id: str = "", content: str = "some text", chunks: int = 1, **fields: Any) -> Write:
    passage = a_passage(content, chunks)
    return Write(
        memory_id or uuid4().hex,
        Change.CREATED,
        MemoryFields(content, **fields),
        passage.id,
        expected=0,
        passage=passage,
    )


def a_change(memory: Memory, change: Change, expected: int | None = None, **fields: Any) -> Write:
    """A write that shares the text of the version before."""
    values = MemoryFields(**{name: getattr(memory.fields, name) for name in MemoryFields.__slots__} | fields)
    seen = 0 if memory.is_deleted else memory.revision
    return Write(memory.memory_id, change, values, memory.passage_id, seen if expected is None else expected)


NOBODY = UUID(int=0)
