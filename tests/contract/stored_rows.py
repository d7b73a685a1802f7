"""Puts the rows of a log into PostgreSQL, through its own door."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from uuid import UUID, uuid4

import numpy as np

from quipu_server.domain import Change, IndexRow, MemoryFields, Passage, Space, Write
from quipu_server.ports import MemoryStore
from quipu_server.store import Database

_SET_TIMES = """
UPDATE memory_revisions r SET create_time = made.created, update_time = made.updated
FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) AS made (revision, created, updated)
WHERE r.space_id = %s AND r.revision = made.revision
"""


async def store_rows(database: Database, memories: MemoryStore, space: Space, rows: Sequence[IndexRow]) -> None:
    """Append the rows to the log of a new space, which then reads as they do, times included."""
    for writes in batches(rows):
        await memories.append(space, writes, None)
    times = ([row.revision for row in rows], [row.create_time for row in rows], [row.update_time for row in rows])
    async with database.unlocked() as connection:
        await connection.execute(_SET_TIMES, (*times, space.id))


def batches(rows: Sequence[IndexRow]) -> Iterator[Sequence[Write]]:
    """The writes that make the rows; each memory once in a batch."""
    current: dict[str, Write] = {}
    expected: dict[str, int] = {}
    batch: dict[str, Write] = {}
    for revision, row in zip(count(1), rows, strict=False):
        assert row.revision == revision, "rows begin with the first revision, and none is missing"
        if row.memory_id in batch:
            yield list(batch.values())
            batch = {}
        write = to_write(row, expected.get(row.memory_id, 0), current)
        batch[row.memory_id] = current[row.memory_id] = write
        expected[row.memory_id] = 0 if row.change is Change.DELETED else revision
    yield list(batch.values())


def to_write(row: IndexRow, expected: int, current: Mapping[str, Write]) -> Write:
    """The write that makes a row; a deletion keeps the text of the version before."""
    fields = MemoryFields(
        " ".join(row.terms) or "-",
        row.kind,
        row.role,
        row.speaker,
        row.session,
        row.tags,
        {},
        row.importance,
        row.event_time,
        row.expire_time,
        row.importance_given,
        (max(row.balance, 0), max(-row.balance, 0), 0, 0),
    )
    if row.change is Change.DELETED:
        return Write(row.memory_id, row.change, fields, current[row.memory_id].passage_id, expected)
    passage = to_passage(row, uuid4(), fields.content)
    return Write(row.memory_id, row.change, fields, passage.id, expected, passage)


def to_passage(row: IndexRow, passage_id: UUID, content: str) -> Passage:
    """The indexed text of a row."""
    vectors = row.codes.astype(np.float32)
    return Passage(passage_id, content, tuple(row.terms), tuple(row.frequencies), row.length, vectors, row.spans)
