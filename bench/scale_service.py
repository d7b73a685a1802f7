"""A large space as its users see it: stored, searched and restarted through the API, beside a small one."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
from numpy.typing import NDArray

from bench import requests
from bench.load import RawClient, raw_clients
from bench.scale_corpus import ALL, Exact, K, Material
from bench.scale_index import ROUNDING, Timing
from bench.scale_store import store_made
from quipu import Client, NotFound, Server, connect
from quipu.v1.index_service_pb2 import INDEX_SEGMENT_KIND_HNSW
from quipu_server.domain import Vector
from quipu_server.scoring import cosines

WRITERS = 4
POLL_S = 0.5
START_S = 300.0

Told = Callable[[int], None]
"""Told how many are done."""


@dataclass(frozen=True, slots=True)
class Restart:
    """Seconds from the start of the process until it serves, until the first right answer, and until memory answers.

    path: what gave the first right answer.
    """

    serving_s: float
    answer_s: float
    hot_s: float
    path: str


@dataclass(frozen=True, slots=True)
class Tools:
    """A server, and clients of it. pid: its process."""

    pid: int
    clients: Sequence[RawClient]
    api: Client


@asynccontextmanager
async def running(home: Path) -> AsyncIterator[Tools]:
    """A server on a data directory. At the end it stops, and writes snapshots of what has changed."""
    # No index in the database beside: it would be built at the same time, and what is measured is the one in memory.
    options = ["--cold-index-memories", "0"]
    server = await asyncio.to_thread(Server.ensure_running, home, options=options, timeout=START_S)
    try:
        async with raw_clients(server.address, WRITERS) as clients, connect(server.address) as api:
            yield Tools(int(json.loads((home / "server.json").read_text("utf-8"))["pid"]), clients, api)
    finally:
        await asyncio.to_thread(server.close)


async def store(tools: Tools, space: str, material: Material, size: int, told: Told) -> float:
    """Store a space, which is hot from the start, unless it is there; the seconds it took, 0 if it was there."""
    if await _count(tools, space) >= size:
        return 0.0
    started = time.perf_counter()
    async for count in store_made(tools.clients, space, material, size):
        told(count)
        await tools.clients[0].search(requests.vector_search(space, material.queries[0]))
    return time.perf_counter() - started


async def until_hot(tools: Tools, space: str, query: Vector) -> None:
    """Search until memory answers."""
    is_hot = False
    while not is_hot:
        # Searching a large space in the database may take longer than a call may.
        with suppress(grpc.RpcError):
            is_hot = requests.is_hot(await tools.clients[0].search(requests.vector_search(space, query)))


async def until_graph(tools: Tools, space: str, wanted: int, told: Told) -> float:
    """Wait until so many memories have a graph; the seconds it took."""
    started = time.perf_counter()
    while True:
        index = await tools.api.describe_index(space)
        rows = sum(segment.rows for segment in index.segments if segment.kind == INDEX_SEGMENT_KIND_HNSW)
        told(rows)
        if rows >= wanted:
            return time.perf_counter() - started
        await asyncio.sleep(POLL_S)


async def measure_vectors(tools: Tools, space: str, material: Material, exact: Exact, tag: str) -> Timing:
    """Search by each vector, by similarity alone."""
    condition = f'tags = "{tag}"' if tag != ALL else ""
    taken, recalls, plans = [], [], set[str]()
    for query, least in zip(material.queries, exact.tenth[tag], strict=True):
        request = requests.vector_search(space, query, requests.BY_SIMILARITY_ALONE, condition, explain=True)
        started = time.perf_counter()
        answer = await tools.clients[0].search(request)
        taken.append(1000 * (time.perf_counter() - started))
        recalls.append(recall(answer, exact.vectors, query, float(least)))
        plans.add(requests.plan_of(answer))
    p50, p95 = np.quantile(taken, [0.5, 0.95]).tolist()
    return Timing(p50, p95, float(np.mean(recalls)), ", ".join(sorted(plans)))


async def measure_texts(tools: Tools, space: str, questions: Sequence[str], blanks: int) -> tuple[float, float]:
    """Search by each question with default settings: p50 and p95 in milliseconds.

    blanks: stand behind each question; with a number that was not used before every one is embedded anew, as the
    server remembers the vectors of texts.
    """
    taken = []
    for question in questions:
        request = requests.text_search(space, question + " " * blanks)
        started = time.perf_counter()
        await tools.clients[0].search(request)
        taken.append(1000 * (time.perf_counter() - started))
    p50, p95 = np.quantile(taken, [0.5, 0.95]).tolist()
    return p50, p95


async def measure_restart(home: Path, space: str, query: Vector, vectors: NDArray[np.float16], least: float) -> Restart:
    """Start the server on a data directory, and search until the ten nearest are found, and found in memory."""
    started, answer_s, path = time.perf_counter(), 0.0, ""
    async with running(home) as tools:
        serving_s = time.perf_counter() - started
        while True:
            try:
                answer = await tools.clients[0].search(
                    requests.vector_search(space, query, requests.BY_SIMILARITY_ALONE)
                )
            except grpc.RpcError:
                continue
            is_hot = requests.is_hot(answer)
            if not path and recall(answer, vectors, query, least) == 1.0:
                answer_s, path = time.perf_counter() - started, "memory" if is_hot else "the database"
            if path and is_hot:
                return Restart(serving_s, answer_s, time.perf_counter() - started, path)


def recall(answer: Sequence[bytes], vectors: NDArray[np.float16], query: Vector, least: float) -> float:
    """The share of the ten nearest that an answer has; least: the score of the tenth."""
    exact = cosines(vectors[requests.numbers_found(answer)], query)
    return float(np.count_nonzero(exact >= least - ROUNDING)) / K


def anonymous_bytes(pid: int) -> int:
    """Physical memory of a process that is not the system's cache of files. Linux only."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text("utf-8"))
    return 1024 * int(found[1]) if found else 0


async def _count(tools: Tools, space: str) -> int:
    """How many memories a space has, if they were only stored; 0 if there is no space."""
    try:
        return int((await tools.api.describe_index(space)).head_revision)
    except NotFound:
        return 0
