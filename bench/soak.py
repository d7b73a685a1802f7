"""Does a server hold out? Many clients with a mixed load for minutes, then searches that are given up.

Shows errors, the resident memory of the server, and the 99th percentile of each kind of call.
"""

import asyncio
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import quipu
from bench.corpus import make_corpus
from bench.fairness import process, wait_for
from bench.progress import progress_bars
from bench.spaces import resident_bytes

MEMORIES = 4_000
"""In the space before it begins; clients delete as many as they add."""
SPACE = "soak"
KEPT = 20
"""Memories of its own that a client keeps."""
WARM_S = 10.0
"""Until memory is read for the first time: pools, indexes and caches are made by then."""
AT_ONCE = 16
CANCEL_WITHIN_S = 0.02
"""A search beside fifteen others is somewhere on its way then."""
MEBIBYTE = 1 << 20


@dataclass(slots=True)
class Tally:
    """What the calls of a load took, in milliseconds by kind, and how they failed."""

    texts: Sequence[str]
    took_ms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    given_up: int = 0
    """Searches that were cancelled before their answer was there."""

    def text(self) -> str:
        return f"{random.choice(self.texts)} {random.random():.6f}"


class Caller:
    """A client that does one thing after the other, chosen at random by the weights below."""

    def __init__(self, client: quipu.Client, tally: Tally) -> None:
        self._client = client
        self._tally = tally
        self._own: list[str] = []

    async def run(self, ends_s: float) -> None:
        """Until a time of the monotonic clock."""
        kinds = list(CALLS)
        weights = [CALLS[kind][0] for kind in kinds]
        while time.monotonic() < ends_s:
            (kind,) = random.choices(kinds, weights)
            began = time.perf_counter()
            try:
                await CALLS[kind][1](self)
            except quipu.QuipuError as error:
                self._tally.errors[f"{kind}: {type(error).__name__} {error.reason}"] += 1
            else:
                self._tally.took_ms[kind].append(1e3 * (time.perf_counter() - began))

    async def search(self) -> None:
        await self._client.search(self._tally.text(), k=10).all()

    async def search_filtered(self) -> None:
        await self._client.search(self._tally.text(), k=10, filter='tags = "even"').all()

    async def pack(self) -> None:
        await self._client.pack(self._tally.text(), token_budget=500)

    async def add(self) -> None:
        self._own.append((await self._client.add(self._tally.text(), tags=[random.choice(["even", "odd"])])).name)
        if len(self._own) > KEPT:
            await self._client.delete(self._own.pop(0))

    async def update(self) -> None:
        if self._own:
            await self._client.update(random.choice(self._own), content=self._tally.text())

    async def get(self) -> None:
        if self._own:
            await self._client.get(random.choice(self._own))

    async def page(self) -> None:
        found = 0
        async for _ in self._client.list():
            found += 1
            if found == 50:
                break


CALLS: dict[str, tuple[int, Callable[[Caller], Awaitable[None]]]] = {
    "search": (50, Caller.search),
    "search with filter": (10, Caller.search_filtered),
    "pack": (3, Caller.pack),
    "add (and delete)": (15, Caller.add),
    "update": (5, Caller.update),
    "get": (12, Caller.get),
    "list 50": (5, Caller.page),
}
"""Weights, and what is called."""


@click.command(help=__doc__)
@click.option("--minutes", default=10.0, show_default=True, help="How long the mixed load lasts.")
@click.option("--clients", default=32, show_default=True, help="Clients at once, each with a connection.")
@click.option("--cancelled", default=10_000, show_default=True, help="Searches to give up afterwards.")
def main(minutes: float, clients: int, cancelled: int) -> None:
    with TemporaryDirectory(prefix="quipu-soak-") as directory:
        home = Path(directory)
        arguments = ("quipu_server", "serve", "--port", "0", "--log-level", "error", "--data-dir", directory)
        with process(*arguments, environment={}), progress_bars(Console()) as progress:
            address = wait_for(home)
            pid = int(json.loads((home / "server.json").read_text("utf-8"))["pid"])
            tally = Tally([memory.content for memory in make_corpus(None, MEMORIES, 1).memories])
            memory = asyncio.run(measure(address, pid, tally, progress, (minutes * 60, clients, cancelled)))
    Console().print(calls_table(tally), memory_table(memory))
    Console().print(f"errors: {dict(tally.errors) or 0}; {tally.given_up:,} of {cancelled:,} had no answer yet")


async def measure(
    address: str, pid: int, tally: Tally, progress: Progress, size: tuple[float, int, int]
) -> Sequence[tuple[str, int]]:
    """Load the server; its resident bytes at some moments."""
    seconds, clients, cancelled = size
    async with quipu.connect(address, space=SPACE, timeout=120) as client:
        filling = progress.add_task("filling", total=MEMORIES)
        for start in range(0, MEMORIES, 200):
            await client.add_many(tally.texts[start : start + 200])
            progress.advance(filling, 200)
    memory = [("filled", resident_bytes(pid))]
    load = asyncio.create_task(mixed(address, tally, clients, WARM_S + seconds))
    shown = progress.add_task("mixed load, seconds", total=round(WARM_S + seconds))
    for second in range(1, round(WARM_S + seconds) + 1):
        await asyncio.sleep(1)
        progress.advance(shown)
        if second == WARM_S:
            memory.append(("mixed load, start", resident_bytes(pid)))
        if second == WARM_S + round(seconds / 2):
            memory.append(("mixed load, half way", resident_bytes(pid)))
    await load
    memory.append(("mixed load, end", resident_bytes(pid)))
    return [*memory, *await give_up(address, pid, tally, progress, cancelled)]


async def mixed(address: str, tally: Tally, count: int, seconds: float) -> None:
    """The load of some clients, each with a connection of its own."""
    ends_s = time.monotonic() + seconds

    async def call() -> None:
        async with quipu.connect(address, space=SPACE, timeout=30) as client:
            await Caller(client, tally).run(ends_s)

    await asyncio.gather(*(call() for _ in range(count)))


async def give_up(address: str, pid: int, tally: Tally, progress: Progress, count: int) -> Sequence[tuple[str, int]]:
    """Begin searches and give them up somewhere on their way; resident bytes before, in between and after."""
    memory = [("cancelled searches, before", resident_bytes(pid))]
    shown = progress.add_task("cancelled searches", total=count)
    bar = partial(progress.advance, shown)
    async with quipu.connect(address, space=SPACE) as client:
        for fifth in range(1, 6):
            waiting = iter(range(count // 5))
            await asyncio.gather(*(cancel_each(client, tally, waiting, bar) for _ in range(AT_ONCE)))
            memory.append((f"cancelled searches, after {fifth * (count // 5):,}", resident_bytes(pid)))
        await client.search("is it still well?").all()
    return memory


async def cancel_each(client: quipu.Client, tally: Tally, numbers: Iterator[int], bar: Callable[[], None]) -> None:
    for _ in numbers:
        searching = asyncio.ensure_future(client.search(tally.text(), k=50).all())
        await asyncio.sleep(random.uniform(0, CANCEL_WITHIN_S))
        tally.given_up += searching.cancel()
        await asyncio.gather(searching, return_exceptions=True)
        bar()


def calls_table(tally: Tally) -> Table:
    shown = Table("call", "count", "p50, ms", "p99, ms", title="Mixed load")
    for kind, took in sorted(tally.took_ms.items()):
        p50, p99 = np.percentile(took, [50, 99])
        shown.add_row(kind, f"{len(took):,}", f"{p50:.1f}", f"{p99:.1f}")
    return shown


def memory_table(memory: Sequence[tuple[str, int]]) -> Table:
    shown = Table("moment", "resident, MiB", title="Memory of the server")
    for moment, resident in memory:
        shown.add_row(moment, f"{resident / MEBIBYTE:,.1f}")
    return shown


if __name__ == "__main__":
    main()
