"""Inserts many rows with one statement: they are sent as one array, in the binary format.

COPY is refused where row-level security holds; this is as fast, and waits for one answer where COPY waits for two.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from numpy.typing import NDArray
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format
from psycopg.types.composite import CompositeInfo

from quipu_server.store import copy_format as binary
from quipu_server.store.copy_format import RowType
from quipu_server.store.links import Connection


class Target(NamedTuple):
    """A type of rows, and the statement that inserts an array of them."""

    row_type: str
    statement: str


def _target(row_type: str, table: str, columns: str) -> Target:
    statement = f"INSERT INTO {table} ({columns}) SELECT {columns} FROM unnest(%s::quipu.{row_type}[])"
    return Target(row_type, statement)


NEW_PASSAGES = _target(
    "new_passage", "passages", "space_id, passage_id, length, token_count, content, terms, frequencies"
)
NEW_VECTORS = _target(
    "new_vector",
    "vectors",
    "space_id, passage_id, chunk, dimension, span_start, span_end, fingerprint, embedding",
)
NEW_UNEMBEDDED = _target("new_unembedded", "unembedded", "space_id, passage_id, dimension, memory_id")
NEW_REVISIONS = _target(
    "new_revision",
    "memory_revisions",
    "space_id, revision, nonce, passage_id, importance, event_time, expire_time, create_time, update_time, change, "
    "kind, created, role, memory_id, speaker, session, tags, metadata, importance_given, feedback",
)
_TARGETS = (NEW_PASSAGES, NEW_VECTORS, NEW_UNEMBEDDED, NEW_REVISIONS)


class Encoded:
    """A value in the binary format, of the type that the statement gives it."""

    def __init__(self, data: bytes) -> None:
        self.data = data


class _EncodedDumper(Dumper):
    format = Format.BINARY
    oid = 0

    def dump(self, obj: Encoded) -> Buffer:
        return obj.data


async def find_row_types(connection: Connection) -> Sequence[CompositeInfo]:
    """The types of rows, which have other numbers in each database."""
    found = [await CompositeInfo.fetch(connection, f"quipu.{target.row_type}") for target in _TARGETS]
    return [info for info in found if info is not None]


def prepare_inserts(connection: Connection, row_types: Sequence[CompositeInfo]) -> None:
    """Let a connection insert rows of these types."""
    connection.adapters.register_dumper(Encoded, _EncodedDumper)
    for info in row_types:
        connection.adapters.types.add(info)


async def insert(connection: Connection, target: Target, rows: Iterable[Sequence[binary.Field]]) -> None:
    """Insert rows whose fields are encoded, in the order of the type."""
    data = binary.records(_row_type(connection, target), rows)
    await connection.execute(target.statement, (Encoded(data),), prepare=True)


async def insert_equal(connection: Connection, target: Target, columns: Sequence[NDArray[Any]]) -> None:
    """Insert the rows of columns as `equal_records` takes them."""
    data = binary.equal_records(_row_type(connection, target), columns)
    await connection.execute(target.statement, (Encoded(data),), prepare=True)


def _row_type(connection: Connection, target: Target) -> RowType:
    info = connection.adapters.types[target.row_type]
    assert isinstance(info, CompositeInfo), "prepare_inserts comes first"
    return RowType(info.oid, info.field_types)
