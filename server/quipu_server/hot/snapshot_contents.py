"""What an index holds as arrays, and back.

What is gone through is built again from its codes, which takes no time; a graph is kept with all its links.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quipu_server.hot import graph_arrays
from quipu_server.hot.codes import CodeFile
from quipu_server.hot.columns import NUMBERS, TEXTS, TIMES, Columns, TextColumn
from quipu_server.hot.contents import Contents
from quipu_server.hot.delta import Delta
from quipu_server.hot.graph import GraphSegment
from quipu_server.hot.packed import PackedStrings
from quipu_server.hot.postings import Postings
from quipu_server.hot.segment import Segment
from quipu_server.hot.sessions import GrowingSessions
from quipu_server.hot.snapshot_file import Arrays, Mapped, Stored
from quipu_server.hot.vocabulary import Vocabulary

EXACT = ".exact"
"""The exact codes of a graph that compares others: they stay in the file."""

_POSTINGS = ("terms", "starts", "slots", "frequencies", "shortest", "most")
_DELTA = ("codes", "terms", "slots", "frequencies")
_STRINGS = ("text", "starts", "hashes", "numbers")


def to_header(contents: Contents) -> Mapping[str, Any]:
    """Numbers of contents."""
    return {
        "revision": contents.revision,
        "nonce": contents.nonce,
        "total_length": contents.total_length,
        "earliest_expiry": contents.earliest_expiry,
        "segments": [_segment_header(segment) for segment in contents.segments],
        "delta": contents.delta.first_row if contents.delta else None,
    }


def to_arrays(contents: Contents) -> Arrays:
    """Arrays of contents."""
    return dict(_arrays(contents))


def from_stored(stored: Stored) -> Contents:
    """The contents. Raises KeyError, ValueError, TypeError when something is missing or does not fit."""
    header, arrays = stored.header, stored.arrays
    live: NDArray[np.bool_] = arrays["live"]
    stand_ins = arrays["row_slots"][arrays["spans"][:, 0] < 0]
    columns = _columns(arrays, len(live))
    return Contents(
        revision=header["revision"],
        nonce=header["nonce"],
        columns=columns,
        vocabulary=_vocabulary(arrays, "terms"),
        segments=tuple(_segment(stored, number) for number in range(len(header["segments"]))),
        delta=None if header["delta"] is None else _delta(arrays, header["delta"]),
        live=live,
        live_count=int(np.count_nonzero(live)),
        total_length=header["total_length"],
        earliest_expiry=header["earliest_expiry"],
        unembedded=stand_ins[live[stand_ins]].astype(np.int64),
        sessions=GrowingSessions.of(columns, live).view(columns),
    )


def stays_in_file(name: str) -> bool:
    """Whether an array is used where it is."""
    return name.endswith(EXACT)


def let_go(contents: Contents) -> None:
    """Hold no pages of files that were read to write the arrays."""
    for segment in contents.segments:
        if isinstance(segment.codes, CodeFile):
            segment.codes.let_go()


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
        yield from ((f"segment{i}.{name}", array) for name, array in _segment_arrays(segment))
    if contents.delta:
        yield from ((f"delta.{name}", getattr(contents.delta, name)) for name in _DELTA)


def _owners(columns: Columns) -> NDArray[np.int32]:
    owners = columns.texts["tags"].owners
    return np.empty(0, np.int32) if owners is None else owners


def _segment_header(segment: Segment | GraphSegment) -> Mapping[str, Any]:
    graph = graph_arrays.to_header(segment) if isinstance(segment, GraphSegment) else None
    return {"first_row": segment.first_row, "dimension": segment.codes.shape[1], "graph": graph}


def _segment_arrays(segment: Segment | GraphSegment) -> Iterator[tuple[str, NDArray[Any]]]:
    yield from ((name, getattr(segment.postings, name)) for name in _POSTINGS)
    if isinstance(segment, Segment):
        yield "codes", segment.codes
        return
    yield from graph_arrays.to_arrays(segment)
    if segment.error:
        yield EXACT.removeprefix("."), segment.codes.mapped if isinstance(segment.codes, CodeFile) else segment.codes


def _strings(name: str, vocabulary: Vocabulary) -> Iterator[tuple[str, NDArray[Any]]]:
    """The strings of a vocabulary. It may grow meanwhile; the codes that matter are there."""
    packed = vocabulary.packed()
    yield from ((f"strings.{name}.{part}", getattr(packed, part)) for part in _STRINGS)


def _vocabulary(arrays: Arrays, name: str) -> Vocabulary:
    packed = PackedStrings(**{part: arrays[f"strings.{name}.{part}"] for part in _STRINGS})
    packed.check()
    return Vocabulary.restore(packed)


def _columns(arrays: Arrays, slot_count: int) -> Columns:
    owners = {"tags": arrays["tag_owners"]}
    texts = {
        name: TextColumn(arrays[f"codes.{name}"], _vocabulary(arrays, name), slot_count, owners.get(name))
        for name in (*TEXTS, "tags")
    }
    times = {name: arrays[f"times.{name}"] for name in TIMES}
    return Columns(texts, times, **{name: arrays[name] for name in NUMBERS})


def _segment(stored: Stored, number: int) -> Segment | GraphSegment:
    header, arrays = stored.header["segments"][number], stored.arrays
    postings = Postings(**{name: arrays[f"segment{number}.{name}"] for name in _POSTINGS})
    if header["graph"] is None:
        return Segment.build(header["first_row"], arrays[f"segment{number}.codes"], postings)
    exact = stored.mapped[f"segment{number}{EXACT}"] if header["graph"]["error"] else None
    parts = {name: arrays[f"segment{number}.{name}"] for name in graph_arrays.NAMES}
    codes, dimension = _code_file(exact), header["dimension"]
    return graph_arrays.from_arrays(header["graph"], parts, header["first_row"], codes, postings, dimension)


def _code_file(exact: Mapped | None) -> CodeFile | None:
    return None if exact is None else CodeFile(exact.memory, exact.array)


def _delta(arrays: Arrays, first_row: int) -> Delta:
    parts = {name: arrays[f"delta.{name}"] for name in _DELTA}
    return Delta(first_row=first_row, vectors=parts["codes"].astype(np.float32), **parts)
