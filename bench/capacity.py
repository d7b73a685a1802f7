"""Measures what a memory takes: in PostgreSQL, in memory, and in a snapshot on disk.

Texts and words are those of the sample, vectors are random, of 384 numbers.
"""

import asyncio
import ctypes
import gc
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from bench.corpus import make_corpus
from bench.spaces import resident_bytes, vectors
from quipu_server.domain import Change, MemoryFields, Passage, Space, Vector, Write
from quipu_server.hot import SnapshotStore
from quipu_server.hot.loading import Loader
from quipu_server.store import Database, EmbeddedPostgres, PostgresLog, PostgresMemoryStore, PostgresSpaceStore
from quipu_server.text import SnowballAnalyser

BATCH = 500

_SIZES = """
SELECT c.relname, pg_table_size(c.oid), pg_indexes_size(c.oid) FROM pg_class c
WHERE c.relkind = 'r' AND c.relnamespace = 'quipu'::regnamespace
"""


@click.command(help=__doc__)
@click.option("--sizes", default="200,5000,50000", show_default=True, help="Memories of each space.")
def main(sizes: str) -> None:
    with TemporaryDirectory(prefix="quipu-capacity-") as folder:
        asyncio.run(measure(Path(folder), [int(size) for size in sizes.split(",")]))


async def measure(home: Path, sizes: Sequence[int]) -> None:
    postgres = EmbeddedPostgres(home)
    database = Database(postgres)
    await database.open()
    await database.wait_ready()
    try:
        spaces = {size: await fill(database, size) for size in sizes}
        console = Console()
        console.print(tables(await relation_sizes(database), sum(sizes)))
        console.print(await indexes(database, home, spaces))
    finally:
        await database.close()
        await postgres.stop()


async def fill(database: Database, size: int) -> Space:
    """A new space with so many memories."""
    draft = Space(uuid4(), "default", f"s{size}", "model", "fingerprint")
    space, store = await PostgresSpaceStore(database).ensure_space(draft), PostgresMemoryStore(database)
    analyser, corpus = SnowballAnalyser(), make_corpus(None, size, 1)
    for start in range(0, size, BATCH):
        memories = corpus.memories[start : start + BATCH]
        given = vectors(len(memories), start)
        writes = [creation(analyser, start + i, m, given[i]) for i, m in enumerate(memories)]
        await store.append(space, writes, None)
    return space


def creation(analyser: SnowballAnalyser, number: int, memory: MemoryFields, vector: Vector) -> Write:
    counts = Counter(analyser.terms(memory.header + memory.content, "en"))
    spans = np.array([[0, len(memory.content)]], np.int32)
    terms, frequencies = tuple(counts), tuple(counts.values())
    passage = Passage(uuid4(), memory.content, terms, frequencies, counts.total(), vector[None, :], spans)
    return Write(f"m{number}", Change.CREATED, memory, passage.id, 0, passage)


async def relation_sizes(database: Database) -> Mapping[str, tuple[int, int]]:
    """Bytes of each table, and of its indexes."""
    async with database.unlocked() as connection:
        await connection.execute("VACUUM ANALYZE")
        return {name: (table, index) for name, table, index in await (await connection.execute(_SIZES)).fetchall()}


def tables(sizes: Mapping[str, tuple[int, int]], count: int) -> Table:
    shown = Table("in PostgreSQL", title="Bytes a memory")
    for heading in ("rows", "indexes", "together"):
        shown.add_column(heading, justify="right")
    wanted = {name: sizes[name] for name in ("memory_revisions", "passages", "vectors")}
    wanted["together"] = tuple(map(sum, zip(*wanted.values(), strict=True)))  # type: ignore[assignment]
    for name, (rows, index) in wanted.items():
        shown.add_row(name, *(f"{part / count:,.0f}" for part in (rows, index, rows + index)))
    return shown


async def indexes(database: Database, home: Path, spaces: Mapping[int, Space]) -> Table:
    shown = Table("in a space of", title="Bytes a memory")
    for heading in ("by our account", "of the process", "in a snapshot"):
        shown.add_column(heading, justify="right")
    for size, space in spaces.items():
        shown.add_row(f"{size:,}", *(f"{part / size:,.0f}" for part in await index_sizes(database, home, space, size)))
    return shown


async def index_sizes(database: Database, home: Path, space: Space, size: int) -> tuple[int, int, int]:
    """What the index takes as it says, what the process has more than before, and the size of the file."""
    store, copies = SnapshotStore(home / "index", 1 << 40), max(1, 60_000 // size)
    with ThreadPoolExecutor(1) as threads:
        loader = Loader(PostgresLog(database), threads)
        await loader.load(space, size, lambda _: None)
        before = resident_bytes_here()
        kept = [(await loader.load(space, size, lambda _: None))[0] for _ in range(copies)]
    taken = (resident_bytes_here() - before) // copies
    return kept[0].nbytes, taken, store.save(space, kept[0].contents, lambda: False).nbytes


def resident_bytes_here() -> int:
    """Memory of this process, without what was freed and only kept for later."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return resident_bytes(os.getpid())


if __name__ == "__main__":
    main()
