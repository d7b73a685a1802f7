"""Files of arrays that are whole, or are not there.

A file is: magic (8 bytes), SHA-256 of all that follows (32), length of the header (8, little endian), the header (JSON
in UTF-8), and the raw arrays, each at a multiple of 64 bytes. Nothing is read before the digest is verified, and
nothing is ever unpickled.
"""

import hashlib
import json
import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

MAGIC = b"QUIPUIDX"
DIGEST_BYTES = 32
BODY = len(MAGIC) + DIGEST_BYTES
LENGTH_BYTES = 8
ALIGNMENT = 64
CHUNK_BYTES = 8 << 20
"""Written in one go; in between a writer can be stopped."""

DTYPES = frozenset({"|b1", "|u1", "<u2", "<u4", "<i4", "<i8", "<f2", "<f4", "<f8"})

Arrays = Mapping[str, NDArray[Any]]
Stopped = Callable[[], bool]


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
            digest = hashlib.sha256()
            file.write(MAGIC + bytes(DIGEST_BYTES))
            for chunk in _chunks(header, arrays):
                if is_stopped():
                    raise Abandoned
                file.write(chunk)
                digest.update(chunk)
            size = file.tell()
            file.seek(len(MAGIC))
            file.write(digest.digest())
            _sync(file)
        draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)
    return size


def read_arrays(path: Path) -> tuple[Mapping[str, Any], Arrays]:
    """Header and arrays of a file, after its digest is verified. Raises Damaged, OSError."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < BODY + LENGTH_BYTES:
            raise Damaged("it is too short")
        # The map goes with its last reader.
        data = memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
    _verify(data)
    try:
        return _parse(data)
    except (ValueError, KeyError, TypeError) as error:
        raise Damaged(f"it cannot be read: {error}") from error


def _chunks(header: Mapping[str, Any], arrays: Arrays) -> Iterator[memoryview]:
    """Everything behind the digest."""
    place, entries = 0, []
    for name, array in arrays.items():
        entries.append({"name": name, "dtype": array.dtype.str, "shape": array.shape, "place": place})
        place = _aligned(place + array.nbytes)
    text = json.dumps({**header, "arrays": entries}).encode()
    text = text.ljust(_aligned(BODY + LENGTH_BYTES + len(text)) - BODY - LENGTH_BYTES)
    yield memoryview(len(text).to_bytes(LENGTH_BYTES, "little") + text)
    for array in arrays.values():
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        for start in range(0, len(data), CHUNK_BYTES):
            yield data[start : start + CHUNK_BYTES]
        yield memoryview(bytes(_aligned(array.nbytes) - array.nbytes))


def _verify(data: memoryview) -> None:
    """Raise Damaged unless the digest is that of the data."""
    if data[: len(MAGIC)] != MAGIC:
        raise Damaged("it is no snapshot")
    if hashlib.sha256(data[BODY:]).digest() != data[len(MAGIC) : BODY]:
        raise Damaged("its digest is wrong")


def _parse(data: memoryview) -> tuple[Mapping[str, Any], Arrays]:
    start = BODY + LENGTH_BYTES
    end = start + int.from_bytes(data[BODY:start], "little")
    header = json.loads(bytes(data[start:end]))
    return header, {entry["name"]: _array(data[end:], entry) for entry in header.pop("arrays")}


def _array(data: memoryview, entry: Mapping[str, Any]) -> NDArray[Any]:
    """A copy of an array."""
    if entry["dtype"] not in DTYPES:
        raise ValueError(f"it has an array of type {entry['dtype']}")
    dtype, shape = np.dtype(entry["dtype"]), tuple(entry["shape"])
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    return np.frombuffer(bytearray(data[entry["place"] : entry["place"] + size]), dtype).reshape(shape)


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
