"""Which segments become one."""

from collections.abc import Sequence

from quipu_server.hot.graph import GraphSegment
from quipu_server.hot.segment import Segment

MERGE_RATIO = 4
"""A segment becomes at least so many times as large as all after it, so that few of them cover many rows."""


def runs_to_join(segments: Sequence[Segment], most_rows: int) -> Sequence[Sequence[Segment]]:
    """Segments to join, each run to one: of no more rows, and none much larger than those after it together."""
    runs: list[Sequence[Segment]] = []
    end = len(segments)
    while end:
        start = _start_of_run(segments[:end], most_rows)
        if end - start > 1:
            runs.append(segments[start:end])
        end = start
    return runs


def _start_of_run(segments: Sequence[Segment], most_rows: int) -> int:
    """Where the last run begins."""
    start = len(segments) - 1
    row_count = len(segments[start].codes)
    while start and (before := len(segments[start - 1].codes)) < MERGE_RATIO * row_count:
        if before + row_count > most_rows:
            break
        start -= 1
        row_count += before
    return start


def exact_ones(segments: Sequence[Segment | GraphSegment]) -> Sequence[Segment]:
    """Those that are gone through: they follow the one that has a graph."""
    return [segment for segment in segments if isinstance(segment, Segment)]
