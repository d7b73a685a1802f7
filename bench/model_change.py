"""Changes the embedding model of a space while clients search it, and goes back again.

Each result must be the exact answer of the old model or of the new one, and no client gets the old one's after the new
one's. Ends with code 1 when a search failed, or an answer was neither.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import grpc
import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import quipu
from bench import requests
from bench.corpus import make_questions, make_texts
from bench.exact import Exact, K
from bench.load import RawClient, raw_clients
from bench.progress import progress_bars
from quipu.v1.job_pb2 import JobState
from quipu_server.embedding import SHIPPED
from tests.small_model import SMALL, make_small_model

SPACE = "model-change"
LARGE = SHIPPED.name
QUESTIONS = 64
BATCH = 500
BESIDE_S = 2.0
"""Searches go on for so long before and after the change."""
HOT_WITHIN_S = 300.0
PAUSE_S = 0.1


@dataclass(slots=True)
class Change:
    """What was seen of one change of the model."""

    name: str
    old: Exact
    new: Exact
    recall_before: float = 0.0
    recall_after: float = 0.0
    seconds: float = 0.0
    cold_seconds: float = 0.0
    """From then until an index in memory answered again."""
    failed: Counter[str] = field(default_factory=Counter)
    by_model: Counter[str] = field(default_factory=Counter)
    by_path: Counter[str] = field(default_factory=Counter)
    mixed: int = 0
    """Answers of neither model, and those of the old one after one of the new one."""
    took_ms: list[float] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not self.failed and not self.mixed


class Searcher:
    """A client that asks one question after the other, and judges what it gets. It tries nothing twice."""

    def __init__(self, client: RawClient, questions: Sequence[bytes], change: Change) -> None:
        self._client = client
        self._questions = questions
        self._change = change
        self._saw_new = False

    async def run(self, first: int, over: asyncio.Event) -> None:
        """Ask until it is over."""
        number = first
        while not over.is_set():
            began = time.perf_counter()
            try:
                answer = await self._client.search(self._questions[number])
            except grpc.aio.AioRpcError as error:
                self._change.failed[f"{error.code().name}: {error.details()}"] += 1
            else:
                self._change.took_ms.append(1e3 * (time.perf_counter() - began))
                self._judge(number, answer)
            number = (number + 1) % len(self._questions)

    def _judge(self, number: int, answer: Sequence[bytes]) -> None:
        found = requests.numbers_found(answer)
        is_new = self._change.new.is_answer(number, found)
        is_old = not is_new and self._change.old.is_answer(number, found)
        self._change.mixed += not is_new and (not is_old or self._saw_new)
        self._change.by_model["new" if is_new else "old" if is_old else "neither"] += 1
        self._change.by_path["hot" if requests.is_hot(answer) else "store"] += 1
        self._saw_new |= is_new


@click.command(help=__doc__)
@click.option("--memories", default=20_000, show_default=True)
@click.option("--clients", default=8, show_default=True, help="Clients that search, each with a connection.")
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Folder with LoCoMo.")
def main(memories: int, clients: int, data: Path | None) -> None:
    console = Console()
    texts, questions = make_texts(data, memories), make_questions(data, QUESTIONS)
    with TemporaryDirectory(prefix="quipu-model-change-") as folder, progress_bars(console) as progress:
        home = Path(folder)
        small = Exact.of(make_small_model(home), texts, questions, progress)
        large = Exact.of(SHIPPED, texts, questions, progress)
        options = ["--model-dir", str(home / SMALL)]
        with quipu.Server.ensure_running(home / "data", options=options) as server:
            changes = asyncio.run(measure(server.address, clients, texts, questions, (small, large), progress))
    console.print(f"{memories:,} memories, {clients} clients, {len(questions)} questions")
    console.print(table_of(changes))
    sys.exit(not all(change.is_clean for change in changes))


async def measure(
    address: str,
    clients: int,
    texts: Sequence[str],
    questions: Sequence[str],
    models: tuple[Exact, Exact],
    progress: Progress,
) -> Sequence[Change]:
    """Fill a space with the small model, give it the large one, and go back."""
    small, large = models
    there, back = Change("change", small, large), Change("revert", large, small)
    async with quipu.connect(address, space=SPACE, timeout=600) as client:
        await client.create_space(SPACE, model=SMALL)
        await fill(client, texts, progress)
        asked = [requests.meaning_search(SPACE, question, K) for question in questions]
        for change, kind, arguments in ((there, "change-model", {"model": LARGE}), (back, "revert-model", {})):
            change.recall_before = await recall(address, asked, change.old)
            await under_load(address, clients, asked, change, run(client, kind, arguments, change, progress))
            change.recall_after = await recall(address, asked, change.new)
    return there, back


async def fill(client: quipu.Client, texts: Sequence[str], progress: Progress) -> None:
    shown = progress.add_task("store", total=len(texts))
    for start in range(0, len(texts), BATCH):
        batch = enumerate(texts[start : start + BATCH], start)
        await client.add_many([quipu.Draft(id=f"m{place}", content=text) for place, text in batch])
        progress.advance(shown, BATCH)


async def recall(address: str, questions: Sequence[bytes], exact: Exact) -> float:
    """The mean share of the exact ten that is found."""
    async with raw_clients(address, 1) as (client,):
        found = [requests.numbers_found(await client.search(question)) for question in questions]
    return float(np.mean([exact.recall(number, places) for number, places in enumerate(found)]))


async def under_load(
    address: str, count: int, questions: Sequence[bytes], change: Change, work: Awaitable[None]
) -> None:
    """Do the work while clients search."""
    over = asyncio.Event()
    async with raw_clients(address, count) as clients, asyncio.TaskGroup() as tasks:
        for number, client in enumerate(clients):
            first = number * len(questions) // count
            tasks.create_task(Searcher(client, questions, change).run(first, over))
        await asyncio.sleep(BESIDE_S)
        try:
            await work
            change.cold_seconds = await until_hot(address, questions[0])
            await asyncio.sleep(BESIDE_S)
        finally:
            over.set()


async def until_hot(address: str, question: bytes) -> float:
    """Wait until a search is answered from memory; how long that took, in seconds. Raises TimeoutError."""
    began = time.perf_counter()
    async with raw_clients(address, 1) as (client,), asyncio.timeout(HOT_WITHIN_S):
        while True:
            if requests.is_hot(await client.search(question)):
                return time.perf_counter() - began
            await asyncio.sleep(PAUSE_S)


async def run(client: quipu.Client, kind: str, arguments: dict[str, str], change: Change, progress: Progress) -> None:
    """Run the job to its end. Raises RuntimeError when it fails."""
    began = time.perf_counter()
    shown = progress.add_task(change.name, total=None)
    async for job in client.watch_job(await client.run_job(kind, arguments=arguments)):
        progress.update(shown, completed=job.done_steps, total=job.total_steps or None)
    change.seconds = time.perf_counter() - began
    if job.state != JobState.JOB_STATE_SUCCEEDED:
        raise RuntimeError(f"the job {kind} ended in {JobState.Name(job.state)}: {job.error}")


def table_of(changes: Sequence[Change]) -> Table:
    table = Table("", *(change.name for change in changes), title="Change of the embedding model under searches")
    rows = {
        "time of the job, s": [f"{change.seconds:.1f}" for change in changes],
        "then, until memory answers, s": [f"{change.cold_seconds:.1f}" for change in changes],
        "searches": [f"{change.by_model.total() + change.failed.total():,}" for change in changes],
        "failed": [f"{dict(change.failed) or 0}" for change in changes],
        "mixed results": [f"{change.mixed}" for change in changes],
        "answers of the old model, of the new": [
            f"{change.by_model['old']:,}, {change.by_model['new']:,}" for change in changes
        ],
        "answered from memory, by the database": [
            f"{change.by_path['hot']:,}, {change.by_path['store']:,}" for change in changes
        ],
        "p50, p99 of searches, ms": [
            ", ".join(f"{value:.1f}" for value in np.percentile(change.took_ms, [50, 99])) for change in changes
        ],
        "recall@10 before, after": [f"{change.recall_before:.4f}, {change.recall_after:.4f}" for change in changes],
    }
    for name, values in rows.items():
        table.add_row(name, *values)
    return table


if __name__ == "__main__":
    main()
