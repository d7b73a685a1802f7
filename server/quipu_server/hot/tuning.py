"""How indexes are built and searched, by size."""

import os
from dataclasses import dataclass
from pathlib import Path

BREADTH_ROWS = 178_000
"""Rows of a graph that is searched with the breadth of the tuning; larger ones are with more."""

PLACE_BYTES = 16
"""Of the links of a row, with those of higher levels."""


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Tuning:
    """Defaults are measured on real sentences: see `make bench-scale`.

    graph_rows: what has more rows is searched by a graph, what has fewer exactly. byte_rows: a graph of more rows has
    codes of 8 bits, and the float16 codes lie in a file without a name in `directory`, by default that of the system
    for temporary files. links, build_breadth, search_breadth: M, efConstruction and efSearch of HNSW, the last
    for graphs of up to 178,000 rows. build_threads: of the building of a graph, which has a low priority.
    """

    graph_rows: int = 50_000
    byte_rows: int = 200_000
    links: int = 32
    build_breadth: int = 200
    search_breadth: int = 192
    build_threads: int = _processors()
    directory: Path | None = None

    def breadth(self, row_count: int) -> int:
        """efSearch for a graph of so many rows.

        With 192, recall at 1,000,000 rows was what it is at 100,000 with 64: hence the square root.
        """
        return int(self.search_breadth * max(1.0, (row_count / BREADTH_ROWS) ** 0.5))

    def graph_row_bytes(self, row_count: int, dimension: int) -> int:
        """What a row of a graph of so many rows takes: its code, links to twice `links` others, and their place."""
        return dimension * (1 if row_count > self.byte_rows else 2) + 4 * 2 * self.links + PLACE_BYTES


DEFAULT_TUNING = Tuning()
