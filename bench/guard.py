"""Measures what the guard costs for each text, beside the embedding of the same text.

The texts are those of the sample, as they are and 20 in one, without and with personal data.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

import click
from rich.console import Console
from rich.table import Table

from bench.corpus import make_corpus
from quipu_server.domain import Purpose, TextToEmbed
from quipu_server.embedding import SHIPPED, OnnxEmbedder, read_directory
from quipu_server.guard.personal import find_personal
from quipu_server.guard.secrets import find_secrets
from quipu_server.ports import Lane

PERSONAL = " Write to ann@example.org, or call (415) 555-2671."
REPEATS = 20
JOINED = 20


@click.command(help=__doc__)
@click.option("--texts", "count", default=200, show_default=True, help="How many texts.")
def main(count: int) -> None:
    table = Table("texts", "characters", "secrets, µs", "personal, µs", "embedding, µs", "guard ÷ embedding")
    embedder = OnnxEmbedder([read_directory(SHIPPED)], workers=1, queue_tokens=1 << 20)
    try:
        for name, texts in samples(count).items():
            table.add_row(name, *measured(texts, embedder))
    finally:
        embedder.close()
    Console().print(table)


def samples(count: int) -> dict[str, Sequence[str]]:
    """Texts by what they are."""
    short = [memory.content for memory in make_corpus(None, count, 1).memories]
    long = [" ".join(short[i : i + JOINED]) for i in range(0, count, JOINED)]
    return {
        "notes": short,
        "notes with personal data": [text + PERSONAL for text in short],
        "20 notes in one": long,
    }


def measured(texts: Sequence[str], embedder: OnnxEmbedder) -> Sequence[str]:
    secrets_us = mean_us(lambda text: list(find_secrets(text)), texts)
    personal_us = mean_us(lambda text: find_personal(text, "US"), texts)
    embedding_us = asyncio.run(embed_us(embedder, texts))
    characters = sum(map(len, texts)) / len(texts)
    ratio = (secrets_us + personal_us) / embedding_us
    return [f"{value:,.0f}" for value in (characters, secrets_us, personal_us, embedding_us)] + [f"{ratio:.4f}"]


def mean_us(work: Callable[[str], object], texts: Sequence[str]) -> float:
    """Microseconds for each text."""
    begin = time.perf_counter()
    for _ in range(REPEATS):
        for text in texts:
            work(text)
    return (time.perf_counter() - begin) / REPEATS / len(texts) * 1e6


async def embed_us(embedder: OnnxEmbedder, texts: Sequence[str]) -> float:
    """Microseconds for each text, one after the other, on one thread."""
    model = embedder.models()[0].name
    begin = time.perf_counter()
    for text in texts:
        await embedder.embed(model, [TextToEmbed(text)], Purpose.PASSAGE, Lane.INGEST)
    return (time.perf_counter() - begin) / len(texts) * 1e6


if __name__ == "__main__":
    main()
