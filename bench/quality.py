"""Measures what Quipu finds, through the API and with default settings: LoCoMo, SciFact, and STS-B for the vectors.

The folder holds `locomo/locomo10.json`, `scifact/corpus.jsonl`, `scifact/queries.jsonl`, `scifact/qrels/test.tsv` and
`stsb-en-test.csv`.
"""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.collection import Collection, MissingData, Question
from bench.conversations import Worth, measure_conversations, show_conversations
from bench.fidelity import Fidelity, Pair, load_pairs, measure_fidelity
from bench.locomo import ANSWERABLE, load_locomo
from bench.metrics import Quality, mean
from bench.progress import progress_bars
from bench.retrieval import ask, store
from bench.scifact import load_scifact
from quipu import Client, Server, connect
from quipu.searches import Mode


@dataclass(frozen=True, slots=True)
class Row:
    """The mean over some questions."""

    data: str
    mode: str
    question_count: int
    quality: Quality


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was measured."""

    rows: Sequence[Row]
    fidelity: Fidelity
    conversations: Sequence[Worth]


@dataclass(frozen=True, slots=True)
class Data:
    """Everything that is measured with."""

    locomo: Sequence[Collection]
    scifact: Collection
    pairs: Sequence[Pair]


@click.command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of the data sets.")
@click.option("--modes", is_flag=True, help="Measure each mode of search, not only the default.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures to this file too.")
def main(data: Path, modes: bool, json_file: Path | None) -> None:
    console = Console()
    try:
        loaded = Data(load_locomo(data), load_scifact(data), load_pairs(data))
    except MissingData as error:
        raise click.ClickException(f"{error}; --data names the folder of the data sets, see --help") from None
    started = time.monotonic()
    with TemporaryDirectory(prefix="quipu-bench-") as home, Server.ensure_running(home) as server:
        report = asyncio.run(_measure(server.address, loaded, (None, *get_args(Mode)) if modes else (None,), console))
    _show(report, console)
    console.print(f"{time.monotonic() - started:.0f} s in all")
    if json_file is not None:
        json_file.write_text(json.dumps(asdict(report), indent=2) + "\n", "utf-8")


async def _measure(address: str, data: Data, modes: Sequence[Mode | None], console: Console) -> Report:
    with progress_bars(console) as progress:
        async with connect(address) as client:
            fidelity = await measure_fidelity(client, data.pairs)
            rows = [*await _retrieve(client, "LoCoMo", data.locomo, modes, progress)]
            conversations = await measure_conversations(client, data.locomo)
            rows += await _retrieve(client, "SciFact", [data.scifact], modes, progress)
    return Report(rows, fidelity, conversations)


async def _retrieve(
    client: Client, name: str, collections: Sequence[Collection], modes: Sequence[Mode | None], progress: Progress
) -> Sequence[Row]:
    task = progress.add_task(f"{name}: store", total=sum(len(c.memories) for c in collections))
    await store(client, collections, partial(progress.advance, task))
    rows: list[Row] = []
    for mode in modes:
        label = mode or "default"
        asking = progress.add_task(f"{name}: search, {label}", total=sum(len(c.questions) for c in collections))
        judged = await ask(client, collections, mode, partial(progress.advance, asking))
        rows.extend(_rows(name, label, judged))
    return rows


def _rows(name: str, mode: str, judged: Sequence[tuple[Question, Quality]]) -> Iterator[Row]:
    """One row, or two for questions with categories: first those of the categories that can be answered."""
    answerable = [quality for question, quality in judged if question.category in ANSWERABLE]
    if answerable:
        yield Row(f"{name}, categories 1 to 4", mode, len(answerable), mean(answerable))
    everything = [quality for _, quality in judged]
    yield Row(f"{name}, all categories" if answerable else name, mode, len(everything), mean(everything))


def _show(report: Report, console: Console) -> None:
    table = Table("data", "mode", title="Retrieval through the API, default settings, k = 20; per cent")
    for heading in ("n", "R@5", "R@10", "R@20", "nDCG@10", "MRR@10"):
        table.add_column(heading, justify="right")
    for row in report.rows:
        figures = (f"{100 * value:.1f}" for value in asdict(row.quality).values())
        table.add_row(row.data, row.mode, f"{row.question_count:,}", *figures)
    console.print(table)
    show_conversations(report.conversations, console)
    fidelity = report.fidelity
    console.print(f"STS-B, {fidelity.pair_count:,} pairs: Spearman {100 * fidelity.spearman:.2f}")
    console.print(f"other vector alone than among others: {fidelity.differing_count} of {fidelity.alone_count} texts")


if __name__ == "__main__":
    main()
