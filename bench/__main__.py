"""Measures speed on this machine, with a server of its own: ratios to what the parts cost alone, all in one run."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console

from bench import parts, speed
from bench.collection import MissingData
from bench.comparison import Comparison, table_of
from bench.corpus import Corpus, make_corpus
from bench.load import raw_clients
from bench.rival import rival
from quipu import Server
from quipu_server.embedding import OnnxEmbedder

MEMORIES = 10_000
QUESTIONS = 16_000
"""Several times what the server's cache of queries holds."""
CLIENTS = 16
QUERY_VECTORS = 100


@click.command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path), help="Folder with LoCoMo to use instead of the sample.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures to this file too.")
def main(data: Path | None, json_file: Path | None) -> None:
    console = Console()
    try:
        corpus = make_corpus(data, MEMORIES, QUESTIONS)
    except MissingData as error:
        raise click.ClickException(str(error)) from None
    started = time.monotonic()
    with ExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="quipu-bench-")))
        embedder = stack.enter_context(parts.embedder())
        server = stack.enter_context(Server.ensure_running(home / "server"))
        comparisons = asyncio.run(_collect(server.address, home / "rival", corpus, embedder, console))
    console.print(table_of(comparisons))
    console.print(f"{time.monotonic() - started:.0f} s in all")
    if json_file is not None:
        figures = [asdict(comparison) | {"ratio": comparison.ratio} for comparison in comparisons]
        json_file.write_text(json.dumps(figures, indent=2) + "\n", "utf-8")


async def _collect(
    address: str, home: Path, corpus: Corpus, embedder: OnnxEmbedder, console: Console
) -> Sequence[Comparison]:
    comparisons: list[Comparison] = []
    with console.status("measuring") as status:
        async for comparison in _measure(address, home, corpus, embedder):
            comparisons.append(comparison)
            status.update(f"measured {comparison.measure}: {comparison.ratio:.2f}")
    return comparisons


async def _measure(address: str, home: Path, corpus: Corpus, embedder: OnnxEmbedder) -> AsyncIterator[Comparison]:
    async with raw_clients(address, CLIENTS) as clients, rival(home) as plain:
        setting = speed.Setting(clients, embedder, plain, corpus.memories, cycle(corpus.questions))
        ingest, vectors = await speed.ingest_text(setting)
        yield ingest
        for comparison in await speed.ingest_later(setting):
            yield comparison
        queries = await parts.embed_questions(embedder, setting.next_questions(QUERY_VECTORS))
        filled = speed.Filled(vectors, parts.build_index(corpus.memories, vectors), queries)
        await speed.warm(setting)
        yield await speed.search_one(setting, filled)
        yield await speed.search_conversations(setting)
        yield await speed.search_many(setting)
        yield await speed.search_by_vector(setting, filled)
        yield await speed.ingest_vectors(setting, filled)
        yield await speed.hot_beside_pgvector(setting, filled)
        yield await speed.recall(setting, filled)


if __name__ == "__main__":
    main()
