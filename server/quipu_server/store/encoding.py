"""What is appended, as the fields of rows in the binary format; in the order of the types in `inserting`."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain import Memory, Passage, Space, Vectors, Write
from quipu_server.store import copy_format as binary
from quipu_server.store.metadata import encode_metadata


def passage_row(space: Space, passage: Passage) -> Sequence[binary.Field]:
    return (
        space.id.bytes,
        passage.id.bytes,
        binary.int4(passage.length),
        None if passage.token_count is None else binary.int4(passage.token_count),
        binary.text(passage.content),
        binary.text_array(passage.terms),
        binary.int4_array(passage.frequencies),
    )


def unembedded_row(space: Space, write: Write) -> Sequence[binary.Field]:
    assert write.passage is not None
    dimension = binary.int2(write.passage.vectors.shape[1])
    return space.id.bytes, write.passage.id.bytes, dimension, binary.text(write.memory_id)


def vector_columns(space: Space, chunked: Mapping[UUID, tuple[Vectors, NDArray[np.int32]]]) -> Sequence[NDArray[Any]]:
    vectors = np.concatenate([rows for rows, _ in chunked.values()])
    spans = np.concatenate([spans for _, spans in chunked.values()])
    counts = [len(rows) for rows, _ in chunked.values()]
    chunks = np.concatenate([np.arange(count) for count in counts])
    return (
        binary.same(space.id.bytes),
        binary.uuids(chunked).repeat(counts),
        chunks.astype(">i2"),
        binary.same(binary.int2(vectors.shape[1])),
        spans[:, 0].astype(">i4"),
        spans[:, 1].astype(">i4"),
        binary.same(binary.text(space.fingerprint)),
        binary.halfvecs(vectors),
    )


def revision_rows(space: Space, memories: Sequence[Memory]) -> Iterator[Sequence[binary.Field]]:
    nonce = binary.int8(secrets.randbits(63))
    for memory in memories:
        fields = memory.fields
        yield (
            space.id.bytes,
            binary.int8(memory.revision),
            nonce,
            memory.passage_id.bytes,
            binary.float8(fields.importance),
            binary.timestamptz(fields.event_time),
            binary.timestamptz(fields.expire_time),
            binary.timestamptz(memory.create_time),
            binary.timestamptz(memory.update_time),
            binary.int2(memory.change),
            binary.int2(fields.kind),
            binary.int8(memory.created),
            binary.int2(fields.role),
            binary.text(memory.memory_id),
            binary.text(fields.speaker),
            binary.text(fields.session),
            binary.text_array(fields.tags),
            binary.jsonb(encode_metadata(fields.metadata)),
            binary.boolean(fields.importance_given),
            binary.int4_array(fields.feedback) if any(fields.feedback) else None,
        )
