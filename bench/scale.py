"""Measures a large space: its index in this process, searched exactly and under filters, beside pgvector.

The vectors are made of real sentences: see `bench.scale_corpus`.
"""

import asyncio
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console
from rich.table import Table

from bench.collection import MissingData
from bench.scale_corpus import Material, gather_material
from bench.scale_index import ALL, SHARES, Built, Timing, build, measure, measure_words
from bench.scale_rival import RivalTiming, measure_rival

SMALL = 10_000
"""What growth is measured from."""
QUESTIONS = 200


@click.command(help=__doc__)
@click.option("--size", default=1_000_000, show_default=True, type=click.IntRange(SMALL), help="Memories.")
@click.option("--rival-size", default=100_000, show_default=True, help="Memories in pgvector; 0 for none.")
@click.option("--sentences", default=20_000, show_default=True, help="Real sentences to embed.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder with LoCoMo and SciFact to use for the sample.")
def main(size: int, rival_size: int, sentences: int, data: Path | None) -> None:
    console = Console(width=120)
    try:
        with console.status("embedding"):
            material = gather_material(data, sentences, QUESTIONS)
    except MissingData as error:
        raise click.ClickException(str(error)) from None
    rival_size = min(rival_size, size)
    table = _sizes_table(len(material.sentences))
    timings: dict[int, Timing] = {}
    for some in sorted({SMALL, rival_size or SMALL, size}):
        with console.status(f"building an index of {some:,}"):
            built = build(material, some)
        timings[some] = _measure(built, material)
        _add_size(table, some, built, timings[some], measure_words(built, material.questions))
        if some == rival_size:
            with console.status(f"measuring pgvector with {some:,}"):
                theirs = _rival(material, some, built, timings[some].recall)
            _print_rival(console, some, timings[some], theirs)
        if some == size:
            console.print(table)
            _print_filters(console, size, built, material)
        del built
    ratio = timings[size].p50_ms / timings[SMALL].p50_ms
    console.print(f"p50 at {size:,} is {ratio:.2f} times that at {SMALL:,}")


def _measure(built: Built, material: Material) -> Timing:
    measure(built, material.queries)
    return measure(built, material.queries)


def _rival(material: Material, size: int, built: Built, wanted: float) -> RivalTiming:
    with TemporaryDirectory(prefix="quipu-bench-") as home:
        return asyncio.run(measure_rival(Path(home), material, size, built, wanted))


def _sizes_table(sentence_count: int) -> Table:
    title = f"Vector search, k = 10, of vectors made of {sentence_count:,} sentences; {os.cpu_count()} processors"
    table = Table(title=title)
    for heading in ("memories", "filled, s", "graph, s", "MB", "counted"):
        table.add_column(heading, justify="right")
    for heading in ("p50, ms", "p95, ms", "recall", "plan", "words p50", "p95"):
        table.add_column(heading, justify="right")
    return table


def _add_size(table: Table, size: int, built: Built, timing: Timing, words: Timing) -> None:
    table.add_row(
        f"{size:,}",
        f"{built.fill_s:.1f}",
        f"{built.graph_s:.1f}",
        f"{built.memory_bytes / 1e6:,.0f}",
        f"{built.counted_bytes / 1e6:,.0f}",
        f"{timing.p50_ms:.2f}",
        f"{timing.p95_ms:.2f}",
        f"{timing.recall:.4f}",
        timing.plans,
        f"{words.p50_ms:.1f}",
        f"{words.p95_ms:.1f}",
    )


def _print_filters(console: Console, size: int, built: Built, material: Material) -> None:
    table = Table("filter matches", title=f"The same of {size:,}, filtered; times with that of the filter")
    for heading in ("p50, ms", "p95, ms", "recall", "plan"):
        table.add_column(heading, justify="right")
    for tag in (*SHARES, ALL):
        timing = measure(built, material.queries, tag)
        row = (f"{timing.p50_ms:.2f}", f"{timing.p95_ms:.2f}", f"{timing.recall:.4f}", timing.plans)
        table.add_row(f"{100 * SHARES.get(tag, 1.0):g} %", *row)
    console.print(table)


def _print_rival(console: Console, size: int, ours: Timing, theirs: RivalTiming) -> None:
    table = Table("", title=f"{size:,} memories beside pgvector (halfvec, M 16, ef_construction 64)")
    for heading in ("p50, ms", "p95, ms", "recall", "index built, s"):
        table.add_column(heading, justify="right")
    table.add_row("hot index", f"{ours.p50_ms:.2f}", f"{ours.p95_ms:.2f}", f"{ours.recall:.4f}", "see below")
    table.add_row(
        f"pgvector, ef_search {theirs.ef_search}",
        f"{theirs.p50_ms:.2f}",
        f"{theirs.p95_ms:.2f}",
        f"{theirs.recall:.4f}",
        f"{theirs.build_s:.1f}",
    )
    console.print(table)
    console.print(f"pgvector takes {theirs.p50_ms / ours.p50_ms:.1f} times as long")


if __name__ == "__main__":
    main()
