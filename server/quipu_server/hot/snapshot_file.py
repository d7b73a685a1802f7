"""Files of arrays that are whole, or are not there.

A file is: magic (8 bytes), SHA-256 of the header (32), length of the header (8, little endian), the header (JSON in
UTF-8), and the raw arrays, each at a multiple of 64 bytes. The header has the SHA-256 of each array. Nothing is used
before its digest is verified, and nothing is ever unpickled.
"""

import hashlib
import json
import math
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"QUIPUIDX"
PREFIX = struct.Struct("<8s32sQ")
"""Magic, digest and length of the header."""

ALIGNMENT = 64
CHUNK_BYTES = 8 << 20
"""Written in one go; in between a writer can be stopped."""

DTYPES = frozenset({"|b1", "|u1", "<u2", "<u4", "<i4", "<i8", "<f2", "<f4", "<f8"})

Arrays = Mapping[str, NDArray[Any]]
Stopped = Callable[[], bool]
Buffer = bytes | memoryview


class Damaged(Exception):
    """A file that is not what was written."""


class Abandoned(Exception):
    """The writer was stopped."""


def write_arrays(path: Path, header: Mapping[str, Any], arrays: Arrays, is_stopped: Stopped) -> int:
    """Write a file, or leave what was there; return its size in bytes. Raises OSError, Abandoned."""
    draft = path.with_name(f".{path.name}.{token_hex(8)}")
    try:
        with draft.open("xb") as file:
            draft.chmod(0o600)
            for chunk in _chunks(header, arrays):
                if is_stopped():
                    raise Abandoned
                file.write(chunk)
            size = file.tell()
            _sync(file)
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)
    return size


def read_arrays(path: Path) -> tuple[Mapping[str, Any], Arrays]:
    """Header and arrays of a file. Raises Damaged, OSError."""
    with path.open("rb") as file:
        header = _read_header(file)
        try:
            arrays = {entry["name"]: _read_array(file, entry) for entry in header.pop("arrays")}
        except (ValueError, KeyError, TypeError) as error:
            raise Damaged(f"it cannot be read: {error}") from error
        if file.read(1):
            raise Damaged("it is too long")
    return header, arrays


def _chunks(header: Mapping[str, Any], arrays: Arrays) -> Iterator[Buffer]:
    """The whole file."""
    entries = [
        {"name": name, "dtype": array.dtype.str, "shape": array.shape, "sha256": _digest(_bytes_of(array))}
        for name, array in arrays.items()
    ]
    text = json.dumps({**header, "arrays": entries}).encode()
    text = text.ljust(_aligned(PREFIX.size + len(text)) - PREFIX.size)
    yield PREFIX.pack(MAGIC, hashlib.sha256(text).digest(), len(text))
    yield text
    for array in arrays.values():
        data = _bytes_of(array)
        for start in range(0, len(data), CHUNK_BYTES):
            yield data[start : start + CHUNK_BYTES].data
        yield bytes(_aligned(array.nbytes) - array.nbytes)


def _read_header(file: IO[bytes]) -> dict[str, Any]:
    try:
        magic, digest, length = PREFIX.unpack(file.read(PREFIX.size))
    except struct.error:
        raise Damaged("it is too short") from None
    if magic != MAGIC:
        raise Damaged("it is no snapshot")
    size_left = os.fstat(file.fileno()).st_size - PREFIX.size
    text = file.read(min(length, size_left))
    if hashlib.sha256(text).digest() != digest:
        raise Damaged("the digest of its header is wrong")
    header: dict[str, Any] = json.loads(text)
    return header


def _read_array(file: IO[bytes], entry: Mapping[str, Any]) -> NDArray[Any]:
    """The next array."""
    if entry["dtype"] not in DTYPES:
        raise ValueError(f"it has an array of type {entry['dtype']}")
    dtype, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
    if math.prod(shape) * dtype.itemsize > os.fstat(file.fileno()).st_size:
        raise ValueError("it has an array that is larger than itself")
    array: NDArray[Any] = np.empty(shape, dtype)
    data = _bytes_of(array)
    if file.readinto(data.data) != len(data) or _digest(data) != entry["sha256"]:  # type: ignore[attr-defined]
        raise Damaged(f"the digest of {entry['name']} is wrong")
    padding = bytes(_aligned(array.nbytes) - array.nbytes)
    if file.read(len(padding)) != padding:
        raise Damaged(f"something else follows {entry['name']}")
    return array


def _bytes_of(array: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _digest(data: NDArray[np.uint8]) -> str:
    return hashlib.sha256(data.data).hexdigest()


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    """Let a renaming last."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
