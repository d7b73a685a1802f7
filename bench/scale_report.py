"""The tables of a run."""

from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from bench.scale_index import SHARES, Timing
from bench.scale_rival import RivalTiming
from bench.scale_service import Restart


@dataclass(slots=True)
class Figures:
    """What was measured. texts, vectors, store_s: by space, by the service. alone, words: by size, by the index."""

    size: int
    small: int
    sentences: int
    processors: int
    store_s: dict[str, float] = field(default_factory=dict)
    graph_s: float = 0.0
    resident_bytes: int = 0
    counted_bytes: int = 0
    texts: dict[str, tuple[float, float]] = field(default_factory=dict)
    vectors: dict[str, Timing] = field(default_factory=dict)
    filtered: dict[str, Timing] = field(default_factory=dict)
    restart: Restart | None = None
    alone: dict[int, Timing] = field(default_factory=dict)
    words: dict[int, Timing] = field(default_factory=dict)
    alone_filtered: dict[str, Timing] = field(default_factory=dict)


def service(console: Console, figures: Figures) -> None:
    """What users see."""
    table = _timings(
        f"{figures.size:,} memories made of {figures.sentences:,} sentences, k = 10, through the service;"
        f" {figures.processors} processors"
    )
    for name, size in (("small", figures.small), ("large", figures.size)):
        p50, p95 = figures.texts[name]
        table.add_row(f"by text, of {size:,}", f"{p50:.2f}", f"{p95:.2f}", "", "")
        _add(table, f"by vector, of {size:,}", figures.vectors[name])
    for tag, timing in figures.filtered.items():
        _add(table, f"by vector, {100 * SHARES[tag]:g} % match", timing)
    console.print(table)
    if figures.store_s["large"]:
        console.print(f"stored in {figures.store_s['large']:.0f} s; its graph was there {figures.graph_s:.0f} s later")
    else:
        console.print(f"was stored before; its graph was there {figures.graph_s:.0f} s after the start")
    console.print(
        f"memory of both: {figures.resident_bytes / 1e6:,.0f} MB of the process,"
        f" {figures.counted_bytes / 1e6:,.0f} MB of the large one by our account"
    )
    if (restart := figures.restart) is not None:
        console.print(
            f"restart: serving after {restart.serving_s:.1f} s, first right answer after {restart.answer_s:.1f} s"
            f" (from {restart.path}), from memory after {restart.hot_s:.1f} s"
        )


def alone(console: Console, figures: Figures) -> None:
    """The index without the service."""
    table = _timings("The indexes alone; times of filtered searches with that of the filter")
    for size in (figures.small, figures.size):
        _add(table, f"vectors, of {size:,}", figures.alone[size])
        _add(table, f"words, of {size:,}", figures.words[size])
    for tag, timing in figures.alone_filtered.items():
        _add(table, f"vectors, {100 * SHARES[tag]:g} % match", timing)
    console.print(table)


def rival(console: Console, ours: Timing, theirs: RivalTiming, size: int, whole: int) -> None:
    """The index alone beside pgvector."""
    table = _timings(f"{size:,} memories beside pgvector (halfvec, M 16, ef_construction 64)")
    _add(table, "hot index", ours)
    p50, p95, recall = f"{theirs.p50_ms:.2f}", f"{theirs.p95_ms:.2f}", f"{theirs.recall:.4f}"
    table.add_row(f"pgvector, ef_search {theirs.ef_search}", p50, p95, recall, f"built in {theirs.build_s:.0f} s")
    console.print(table)
    console.print(f"pgvector takes {theirs.p50_ms / ours.p50_ms:.1f} times as long")
    if size < whole:
        console.print(f"pgvector was measured with {size:,} of the {whole:,} memories, as --rival-size says")


def growth(console: Console, figures: Figures) -> None:
    """How much longer searches of the large space take."""
    ratios = {
        "by text": figures.texts["large"][0] / figures.texts["small"][0],
        "by vector": figures.vectors["large"].p50_ms / figures.vectors["small"].p50_ms,
        "the index alone": figures.alone[figures.size].p50_ms / figures.alone[figures.small].p50_ms,
        "words alone": figures.words[figures.size].p50_ms / figures.words[figures.small].p50_ms,
    }
    shown = ", ".join(f"{what} {ratio:.2f}" for what, ratio in ratios.items())
    console.print(f"p50 of {figures.size:,} over that of {figures.small:,}: {shown}")


def _timings(title: str) -> Table:
    table = Table("", title=title)
    for heading in ("p50, ms", "p95, ms", "recall", "plan"):
        table.add_column(heading, justify="right")
    return table


def _add(table: Table, name: str, timing: Timing) -> None:
    table.add_row(name, f"{timing.p50_ms:.2f}", f"{timing.p95_ms:.2f}", f"{timing.recall:.4f}", timing.plans)
