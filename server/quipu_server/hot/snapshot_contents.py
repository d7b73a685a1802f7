"""What an index holds as arrays, and back.

Codes are kept as they are, so that segments are built again from what they hold, whatever they are searched by.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quipu_server.hot.columns import NUMBERS, TEXTS, TIMES, Columns, TextColumn
from quipu_server.hot.contents import Contents
from quipu_server.hot.delta import Delta
from quipu_server.hot.postings import Postings
from quipu_server.hot.segment import Segment
from quipu_server.hot.sessions import GrowingSessions
from quipu_server.hot.snapshot_file import Arrays
from quipu_server.hot.vocabulary import Vocabulary

SEPARATOR = "\0"
"""PostgreSQL knows no text that contains it."""

_POSTINGS = ("terms", "starts", "slots", "frequencies")
_DELTA = ("codes", "terms", "slots", "frequencies")


def to_header(contents: Contents) -> Mapping[str, Any]:
    """Numbers of contents."""
    return {
        "revision": contents.revision,
        "nonce": contents.nonce,
        "total_length": contents.total_length,
        "earliest_expiry": contents.earliest_expiry,
        "segments": [segment.first_row for segment in contents.segments],
        "delta": contents.delta.first_row if contents.delta else None,
    }


def to_arrays(contents: Contents) -> Arrays:
    """Arrays of contents."""
    return dict(_arrays(contents))


def from_arrays(header: Mapping[str, Any], arrays: Arrays) -> Contents:
    """The contents. Raises KeyError, ValueError, TypeError when something is missing or does not fit."""
    live: NDArray[np.bool_] = arrays["live"]
    columns = _columns(arrays, len(live))
    segments = tuple(_segment(arrays, i, first_row) for i, first_row in enumerate(header["segments"]))
    return Contents(
        revision=header["revision"],
        nonce=header["nonce"],
        columns=columns,
        vocabulary=_vocabulary(arrays, "terms"),
        segments=segments,
        delta=None if header["delta"] is None else _delta(arrays, header["delta"]),
        live=live,
        live_count=int(np.count_nonzero(live)),
        total_length=header["total_length"],
        earliest_expiry=header["earliest_expiry"],
        sessions=GrowingSessions.of(columns, live).view(columns),
    )


def _arrays(contents: Contents) -> Iterator[tuple[str, NDArray[Any]]]:
    columns = contents.columns
    yield "live", contents.live
    yield from ((name, getattr(columns, name)) for name in NUMBERS)
    yield from ((f"times.{name}", times) for name, times in columns.times.items())
    for name, column in columns.texts.items():
        yield f"codes.{name}", column.codes
        yield from _strings(name, column.vocabulary)
    yield "tag_owners", _owners(columns)
    yield from _strings("terms", contents.vocabulary)
    for i, segment in enumerate(contents.segments):
        yield f"segment{i}.codes", segment.codes[:]
        yield from ((f"segment{i}.{name}", getattr(segment.postings, name)) for name in _POSTINGS)
    if contents.delta:
        yield from ((f"delta.{name}", getattr(contents.delta, name)) for name in _DELTA)


def _owners(columns: Columns) -> NDArray[np.int32]:
    owners = columns.texts["tags"].owners
    return np.empty(0, np.int32) if owners is None else owners


def _strings(name: str, vocabulary: Vocabulary) -> Iterator[tuple[str, NDArray[Any]]]:
    """The strings of a vocabulary. It may grow meanwhile; the codes that matter are there."""
    values = list(vocabulary.values)
    yield f"strings.{name}", np.frombuffer(SEPARATOR.join(values).encode(), np.uint8)
    yield f"counts.{name}", np.array([len(values)], np.int64)


def _vocabulary(arrays: Arrays, name: str) -> Vocabulary:
    count = int(arrays[f"counts.{name}"][0])
    values: Sequence[str] = arrays[f"strings.{name}"].tobytes().decode().split(SEPARATOR) if count else []
    if len(values) != count:
        raise ValueError(f"there are {len(values)} strings of {name}, not {count}")
    return Vocabulary.restore(values)


def _columns(arrays: Arrays, slot_count: int) -> Columns:
    owners = {"tags": arrays["tag_owners"]}
    texts = {
        name: TextColumn(arrays[f"codes.{name}"], _vocabulary(arrays, name), slot_count, owners.get(name))
        for name in (*TEXTS, "tags")
    }
    times = {name: arrays[f"times.{name}"] for name in TIMES}
    return Columns(texts, times, **{name: arrays[name] for name in NUMBERS})


def _segment(arrays: Arrays, number: int, first_row: int) -> Segment:
    postings = Postings(**{name: arrays[f"segment{number}.{name}"] for name in _POSTINGS})
    return Segment.build(first_row, arrays[f"segment{number}.codes"], postings)


def _delta(arrays: Arrays, first_row: int) -> Delta:
    parts = {name: arrays[f"delta.{name}"] for name in _DELTA}
    return Delta(first_row=first_row, vectors=parts["codes"].astype(np.float32), **parts)
