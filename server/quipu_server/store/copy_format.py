"""PostgreSQL's binary COPY format, made in one go: several times as fast as row by row through the driver."""

import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = bytes | None
"""An encoded value; None is NULL."""

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_TEXT_OID = 25
_INT4_OID = 23

int2 = struct.Struct(">h").pack
int4 = struct.Struct(">i").pack
int8 = struct.Struct(">q").pack
float8 = struct.Struct(">d").pack
text = str.encode
_array_header = struct.Struct(">iiiii").pack


def rows(values: Iterable[Sequence[Field]]) -> bytes:
    """A whole COPY stream."""
    parts = [_HEADER]
    for row in values:
        parts.append(int2(len(row)))
        for field in row:
            parts.append(_NULL if field is None else int4(len(field)) + field)
    parts.append(_TRAILER)
    return b"".join(parts)


def timestamptz(time: datetime | None) -> Field:
    return None if time is None else int8((time - _EPOCH) // _MICROSECOND)


def boolean(value: bool) -> bytes:
    return b"\x01" if value else b"\x00"


def jsonb(document: str) -> bytes:
    return b"\x01" + document.encode()


def text_array(items: Sequence[str]) -> bytes:
    if not items:
        return _array_header(0, 0, _TEXT_OID, 0, 0)[:12]
    return _array_header(1, 0, _TEXT_OID, len(items), 1) + b"".join(map(_text_item, items))


def int4_array(items: Sequence[int]) -> bytes:
    if not items:
        return _array_header(0, 0, _INT4_OID, 0, 0)[:12]
    return _array_header(1, 0, _INT4_OID, len(items), 1) + b"".join(map(_int4_item, items))


@lru_cache(maxsize=1 << 16)  # words come again and again
def _text_item(item: str) -> bytes:
    encoded = item.encode()
    return int4(len(encoded)) + encoded


@lru_cache(maxsize=1 << 10)
def _int4_item(item: int) -> bytes:
    return int4(4) + int4(item)


def halfvecs(vectors: NDArray[np.float32]) -> Sequence[bytes]:
    """Rows of an array (n, dimension), rounded to half precision."""
    count, dimension = vectors.shape
    data = vectors.astype(">f2").tobytes()
    width = 2 * dimension
    header = struct.pack(">hh", dimension, 0)
    return [header + data[place * width : (place + 1) * width] for place in range(count)]
