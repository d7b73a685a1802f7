"""Measures many spaces in memory for few: time of a search, who answers, and what the process takes.

The vectors are random; texts and words are those of the sample. A server without memory for indexes does the same work
for comparison. Searches come from 8 clients at once.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import click
import grpc
import numpy as np
from rich.console import Console
from rich.table import Column, Table

from bench import requests
from bench.corpus import make_corpus
from bench.load import RawClient, raw_clients, store_all
from quipu import Server, connect
from quipu_server.domain import Vector, Vectors

CLIENTS = 8
DIMENSION = 384
SEARCHES = 3_000
IN_USE_SHARE = 0.8
"""Of the spaces that memory holds, so many are in use while others are scanned."""
SCANNED_SHARE = 0.1
"""Of the searches."""


@dataclass(slots=True)
class Outcome:
    """Of one workload: milliseconds, how many searches memory answered, how many failed, most bytes of the process."""

    name: str
    times_ms: list[float] = field(default_factory=list)
    hot: int = 0
    refused: int = 0
    most_bytes: int = 0

    def percentile(self, share: float) -> str:
        return f"{np.percentile(self.times_ms, share):.1f}"


@click.command(help=__doc__)
@click.option("--spaces", "space_count", default=1_000, show_default=True)
@click.option("--room", default=50, show_default=True, help="Spaces that fit into memory.")
@click.option("--memories", default=200, show_default=True, help="Of each space.")
def main(space_count: int, room: int, memories: int) -> None:
    console = Console()
    with TemporaryDirectory(prefix="quipu-spaces-") as folder:
        home = Path(folder)
        with running(home, 1 << 40) as server:
            space_bytes = asyncio.run(fill(server.address, space_count, memories))
        budget = room * space_bytes
        outcomes: list[Outcome] = []
        for name, hot_bytes in (("no memory", 0), ("memory for some", budget)):
            with running(home, hot_bytes) as server:
                outcomes += asyncio.run(work(server.address, pid_of(home), name, space_count, room))
    console.print(table_of(outcomes))
    least = max(outcome.most_bytes for outcome in outcomes[:2])
    taken = max(outcome.most_bytes for outcome in outcomes[2:]) - least
    console.print(f"{space_count} spaces of {memories} memories; {space_bytes / 1e6:.2f} MB each by our account")
    console.print(f"budget {budget / 1e6:.0f} MB; the process took {taken / 1e6:.0f} MB more than without indexes")


@contextmanager
def running(home: Path, hot_bytes: int) -> Iterator[Server]:
    """A server on the same data."""
    options = ["--hot-bytes", str(hot_bytes), "--snapshot-bytes", "0"]
    with Server.ensure_running(home, options=options) as server:
        yield server


def pid_of(home: Path) -> int:
    """The process of the server."""
    return int(json.loads((home / "server.json").read_text("utf-8"))["pid"])


def resident_bytes(pid: int) -> int:
    """Memory of a process."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("utf-8"))
    return 1_024 * int(found[1]) if found else 0


async def fill(address: str, space_count: int, memories: int) -> int:
    """Store the memories; return the bytes that the index of a space takes."""
    corpus = make_corpus(None, memories, 1)
    batches: list[bytes] = []
    for number in range(space_count):
        batches += requests.creations(f"s{number}", 0, corpus.memories, vectors(memories, number), memories)
    async with raw_clients(address, CLIENTS) as clients:
        await store_all(clients, batches)
        for _ in range(3):
            await clients[0].search(search_request(0, vectors(1, 0)[0]))
    async with connect(address) as client:
        return (await client.describe_index("s0")).bytes


async def work(address: str, pid: int, name: str, space_count: int, room: int) -> Sequence[Outcome]:
    """Search all spaces alike; then those in use, and others now and then."""
    random, used = Random(1), int(IN_USE_SHARE * room)

    def anywhere() -> int:
        return random.randrange(space_count)

    def mostly_in_use() -> int:
        return random.randrange(used) if random.random() > SCANNED_SHARE else anywhere()

    async with raw_clients(address, CLIENTS) as clients:
        workloads = [("all alike", anywhere), ("some in use, 10 % a scan", mostly_in_use)]
        return [await search(clients, pid, f"{name}, {what}", choose) for what, choose in workloads]


async def search(clients: Sequence[RawClient], pid: int, name: str, choose: Callable[[], int]) -> Outcome:
    """Search from all clients at once."""
    outcome, queries, waiting = Outcome(name), vectors(100, 7), iter(range(SEARCHES))

    async def repeat(client: RawClient) -> None:
        for number in waiting:
            request = search_request(choose(), queries[number % len(queries)])
            started = time.perf_counter()
            try:
                found = await client.search(request)
                outcome.hot += requests.is_hot(found)
            except grpc.RpcError:
                outcome.refused += 1
            outcome.times_ms.append(1_000 * (time.perf_counter() - started))
            if number % 50 == 0:
                outcome.most_bytes = max(outcome.most_bytes, resident_bytes(pid))

    await asyncio.gather(*map(repeat, clients))
    return outcome


def search_request(number: int, vector: Vector) -> bytes:
    return requests.vector_search(f"s{number}", vector)


def vectors(count: int, seed: int) -> Vectors:
    """Random unit vectors."""
    rows = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    scaled: Vectors = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled


def table_of(outcomes: Sequence[Outcome]) -> Table:
    table = Table(Column("searches", no_wrap=True), title=f"{SEARCHES:,} searches by vector each, {CLIENTS} at once")
    for heading in ("p50, ms", "p99, ms", "from memory", "refused", "process, MB"):
        table.add_column(heading, justify="right")
    for outcome in outcomes:
        share = f"{outcome.hot / len(outcome.times_ms):.0%}"
        size = f"{outcome.most_bytes / 1e6:.0f}"
        table.add_row(outcome.name, outcome.percentile(50), outcome.percentile(99), share, f"{outcome.refused}", size)
    return table


if __name__ == "__main__":
    main()
