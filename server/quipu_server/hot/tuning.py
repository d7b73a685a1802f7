"""How indexes are built and searched, by size."""

import os
from dataclasses import dataclass
from pathlib import Path


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Tuning:
    """Defaults are measured on real sentences: see `make bench-scale`.

    graph_rows: what has more rows is searched by a graph, what has fewer exactly. byte_rows: a graph of more rows has
    codes of 8 bits, and the float16 codes lie in a file without a name in `directory`, by default that of the system
    for temporary files. links, build_breadth, search_breadth: M, efConstruction and efSearch of HNSW.
    build_threads: of the building of a graph, which has the least priority.
    """

    graph_rows: int = 50_000
    byte_rows: int = 200_000
    links: int = 32
    build_breadth: int = 200
    search_breadth: int = 192
    build_threads: int = _processors()
    directory: Path | None = None


DEFAULT_TUNING = Tuning()
