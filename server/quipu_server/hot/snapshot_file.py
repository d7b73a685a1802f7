"""Files of arrays that are whole, or are not there.

A file is: magic (8 bytes), digest of the header (16), length of the header (8, little endian), the header (JSON in
UTF-8), and the raw arrays, each at a multiple of 64 bytes. The header has the digest of each array. Nothing is used
before its digest is verified, and nothing is ever unpickled. Digests are XXH3 of 128 bits: they find what was damaged;
against who may write to the directory no digest beside the data would help.
"""

import json
import math
import mmap
import os
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128, xxh3_128_digest, xxh3_128_hexdigest

MAGIC = b"QUIPUIX2"
PREFIX = struct.Struct("<8s16sQ")
"""Magic, digest and length of the header."""

ALIGNMENT = 64
CHUNK_BYTES = 8 << 20
"""Written in one go; in between a writer can be stopped."""

READ_BYTES = 1 << 20
"""Read and digested in one go: it stays in the cache of the processor meanwhile."""

THREADS = min(4, os.cpu_count() or 1)
"""Reading is bound by how fast one processor copies what the system has in its cache."""

DTYPES = frozenset({"|b1", "|u1", "<u2", "<u4", "<u8", "<i4", "<i8", "<f2", "<f4", "<f8"})

Arrays = Mapping[str, NDArray[Any]]
Stopped = Callable[[], bool]
Buffer = bytes | memoryview


class Damaged(Exception):
    """A file that is not what was written."""


class Abandoned(Exception):
    """The writer was stopped."""


class Mapped(NamedTuple):
    """An array that stays in its file. The file is replaced and removed, never changed."""

    memory: mmap.mmap
    array: NDArray[Any]


class Stored(NamedTuple):
    """What a file holds."""

    header: Mapping[str, Any]
    arrays: Arrays
    mapped: Mapping[str, Mapped]


class _Place(NamedTuple):
    """Where an array lies in a file."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    digest: str
    start: int

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


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


def read_arrays(path: Path, stays: Callable[[str], bool] = lambda _: False) -> Stored:
    """What a file holds. stays: names of arrays to leave there, mapped. Raises Damaged, OSError."""
    with path.open("rb") as file:
        header = _read_header(file)
        try:
            places = _places(file, header.pop("arrays"))
        except (ValueError, KeyError, TypeError) as error:
            raise Damaged(f"it cannot be read: {error}") from error
        left = [place for place in places if stays(place.name) and place.nbytes]
        arrays = {place.name: np.empty(place.shape, place.dtype) for place in places if place not in left}
        _read(file, places, arrays)
        return Stored(header, arrays, {place.name: _map(file, place) for place in left})


def read_header(path: Path) -> Mapping[str, Any]:
    """The header of a file, and nothing else. Raises Damaged, OSError."""
    with path.open("rb") as file:
        return _read_header(file)


def _chunks(header: Mapping[str, Any], arrays: Arrays) -> Iterator[Buffer]:
    """The whole file."""
    entries = [
        {"name": name, "dtype": array.dtype.str, "shape": array.shape, "digest": _digest(_bytes_of(array))}
        for name, array in arrays.items()
    ]
    text = json.dumps({**header, "arrays": entries}).encode()
    text = text.ljust(_aligned(PREFIX.size + len(text)) - PREFIX.size)
    yield PREFIX.pack(MAGIC, xxh3_128_digest(text), len(text))
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
    if xxh3_128_digest(text) != digest:
        raise Damaged("the digest of its header is wrong")
    header: dict[str, Any] = json.loads(text)
    return header


def _places(file: IO[bytes], entries: Sequence[Mapping[str, Any]]) -> Sequence[_Place]:
    """Where the arrays lie, one behind the other to the end of the file. Raises Damaged, ValueError."""
    start, size, places = file.tell(), os.fstat(file.fileno()).st_size, []
    for entry in entries:
        if entry["dtype"] not in DTYPES:
            raise ValueError(f"it has an array of type {entry['dtype']}")
        place = _Place(entry["name"], np.dtype(entry["dtype"]), tuple(entry["shape"]), entry["digest"], start)
        if any(length < 0 for length in place.shape) or place.nbytes > size - start:
            raise ValueError("it has an array that is larger than itself")
        places.append(place)
        start += _aligned(place.nbytes)
    if start != size:
        raise Damaged("it is too long" if start < size else "it is too short")
    return places


def _read(file: IO[bytes], places: Sequence[_Place], arrays: Arrays) -> None:
    """Fill the arrays, and verify all that the file holds, the largest first."""
    with ThreadPoolExecutor(THREADS, "quipu-digest") as threads:
        largest_first = sorted(places, key=lambda place: -place.nbytes)
        for _ in threads.map(lambda place: _read_array(file.fileno(), place, arrays.get(place.name)), largest_first):
            pass


def _read_array(descriptor: int, place: _Place, array: NDArray[Any] | None) -> None:
    """Read an array, if it is given, and verify it."""
    target = None if array is None else memoryview(_bytes_of(array).data)
    scratch = memoryview(bytearray(min(READ_BYTES, place.nbytes) if target is None else 0))
    digest, done = xxh3_128(), 0
    while done < place.nbytes:
        size = min(READ_BYTES, place.nbytes - done)
        chunk = scratch[:size] if target is None else target[done : done + size]
        count = os.preadv(descriptor, [chunk], place.start + done)
        if not count:
            break
        digest.update(chunk[:count])
        done += count
    if digest.hexdigest() != place.digest:
        raise Damaged(f"the digest of {place.name} is wrong")
    gap = _aligned(place.nbytes) - place.nbytes
    if os.pread(descriptor, gap, place.start + place.nbytes) != bytes(gap):
        raise Damaged(f"something else follows {place.name}")


def _map(file: IO[bytes], place: _Place) -> Mapped:
    first = place.start // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
    memory = mmap.mmap(file.fileno(), place.start - first + place.nbytes, prot=mmap.PROT_READ, offset=first)
    count = math.prod(place.shape)
    return Mapped(memory, np.frombuffer(memory, place.dtype, count, place.start - first).reshape(place.shape))


def _bytes_of(array: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _digest(data: NDArray[np.uint8]) -> str:
    return xxh3_128_hexdigest(data.data)


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
