"""Measures a large space: through the service and its index alone, under filters, restarted, and beside pgvector.

The vectors are made of real sentences: see `bench.scale_corpus`.
"""

import asyncio
import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console
from rich.progress import Progress, TaskID

from bench import scale_report as report
from bench import scale_service as service
from bench.collection import MissingData
from bench.progress import progress_bars
from bench.scale_corpus import ALL, Material, find_exact, gather_material
from bench.scale_index import SHARES, Built, build, measure, measure_words, restored
from bench.scale_report import Figures
from bench.scale_rival import measure_rival
from quipu_server.hot.tuning import DEFAULT_TUNING

SMALL = 10_000
"""What growth is measured from."""
QUESTIONS = 200


@click.command(help=__doc__)
@click.option("--size", default=1_000_000, show_default=True, type=click.IntRange(SMALL), help="Memories.")
@click.option("--rival-size", type=int, help="Memories in pgvector; as many by default, 0 for none.")
@click.option("--sentences", default=20_000, show_default=True, help="Real sentences to embed.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder with LoCoMo and SciFact to use for the sample.")
@click.option("--home", type=click.Path(path_type=Path), help="Data directory to keep and to go on with.")
def main(size: int, rival_size: int | None, sentences: int, data: Path | None, home: Path | None) -> None:
    console = Console(width=120)
    try:
        with console.status("embedding"):
            material = gather_material(data, sentences, QUESTIONS)
    except MissingData as error:
        raise click.ClickException(str(error)) from None
    with ExitStack() as stack:
        directory = home or Path(stack.enter_context(TemporaryDirectory(prefix="quipu-bench-")))
        run = Run(console, material, size, directory)
        asyncio.run(run.through_the_service())
        run.alone()
        run.beside_pgvector(size if rival_size is None else min(rival_size, size))
    report.growth(console, run.figures)


class Run:
    """One run: what it measures goes to the console as it comes."""

    def __init__(self, console: Console, material: Material, size: int, home: Path) -> None:
        self._console = console
        self._material = material
        self._size = size
        self._home = home
        self.figures = Figures(size, SMALL, len(material.sentences), os.cpu_count() or 1)
        with console.status("comparing all with all"):
            self._exact = {some: find_exact(material, some, SHARES) for some in {SMALL, size}}

    async def through_the_service(self) -> None:
        """Store both spaces, search them, and start the server anew."""
        material, large = self._material, self._exact[self._size]
        async with service.running(self._home) as tools:
            before = service.anonymous_bytes(tools.pid)
            await self._store(tools)
            for blanks, space, some in ((0, "small", SMALL), (2, "large", self._size)):
                await service.until_hot(tools, space, material.queries[0])
                exact = self._exact[some]
                await service.measure_texts(tools, space, material.questions, blanks)  # reads pages from the disk
                self.figures.texts[space] = await service.measure_texts(tools, space, material.questions, blanks + 1)
                await service.measure_vectors(tools, space, material, exact, ALL)  # so does this
                self.figures.vectors[space] = await service.measure_vectors(tools, space, material, exact, ALL)
            for tag in SHARES:
                await service.measure_vectors(tools, "large", material, large, tag)
                self.figures.filtered[tag] = await service.measure_vectors(tools, "large", material, large, tag)
            self.figures.resident_bytes = service.anonymous_bytes(tools.pid) - before
            self.figures.counted_bytes = (await tools.api.describe_index("large")).bytes
        self.figures.restart = await service.measure_restart(
            self._home, "large", material.queries[0], large.vectors, float(large.tenth[ALL][0])
        )
        report.service(self._console, self.figures)

    async def _store(self, tools: service.Tools) -> None:
        with progress_bars(self._console) as bars:
            for space, some in (("small", SMALL), ("large", self._size)):
                bar = bars.add_task(f"storing {space}", total=some)
                seconds = await service.store(tools, space, self._material, some, partial(_show, bars, bar))
                self.figures.store_s[space] = seconds
            await service.until_hot(tools, "large", self._material.queries[0])
            bar = bars.add_task("graph", total=self._size)
            self.figures.graph_s = await service.until_graph(
                tools, "large", self._size - DEFAULT_TUNING.graph_rows, partial(_show, bars, bar)
            )

    def alone(self) -> None:
        """The indexes in this process: the large one from its snapshot."""
        with self._console.status("measuring the indexes alone"):
            for some, index in ((SMALL, build(self._material, SMALL)), (self._size, restored(self._home, self._size))):
                built = Built(index, self._exact[some].tenth)
                measure(built, self._material.queries)
                self.figures.alone[some] = measure(built, self._material.queries)
                self.figures.words[some] = measure_words(built, self._material.questions)
                if some == self._size:
                    for tag in SHARES:
                        self.figures.alone_filtered[tag] = measure(built, self._material.queries, tag)
        report.alone(self._console, self.figures)

    def beside_pgvector(self, size: int) -> None:
        """The same searches of so many memories through pgvector."""
        if not size:
            return
        exact = self._exact.get(size) or find_exact(self._material, size, SHARES)
        index = None if size in self.figures.alone else build(self._material, size)
        if index is not None:
            self.figures.alone[size] = measure(Built(index, exact.tenth), self._material.queries)
        wanted = self.figures.alone[size].recall
        with TemporaryDirectory(prefix="quipu-bench-") as home, self._console.status(f"pgvector with {size:,}"):
            theirs = asyncio.run(measure_rival(Path(home), self._material, exact, wanted))
        report.rival(self._console, self.figures.alone[size], theirs, size, self._size)


def _show(bars: Progress, bar: TaskID, count: int) -> None:
    bars.update(bar, completed=count)


if __name__ == "__main__":
    main()
