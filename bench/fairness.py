"""Does one tenant's bulk load slow another's searches? p95 of searches alone, and beside the load, in one run.

python -m bench.fairness [--seconds 20]
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import quipu

ENVIRONMENT = {
    "QUIPU_KEY_SECRET": "a secret for the benchmark only",
    "QUIPU_MASTER_KEY": "a master key for the benchmark",
}
WORDS = ("flat", "balcony", "cat", "train", "river", "bread", "winter", "letter", "garden", "music", "market", "lamp")
MEMORIES = 500
PAUSE_S = 0.05
"""Between searches: somebody who searches, not a load."""


def text(words: int) -> str:
    return " ".join(random.choices(WORDS, k=words)) + f" {random.random():.9f}"


async def search(client: quipu.Client, seconds: float) -> Sequence[float]:
    """Search for so long; milliseconds that each search took."""
    took, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        await client.search(text(6), k=10).all()
        took.append((time.perf_counter() - began) * 1e3)
        await asyncio.sleep(PAUSE_S)
    return took


async def load(address: str, key: str) -> None:
    """Store memories as fast as the server takes them, until this process is ended."""

    async def store() -> None:
        async with quipu.connect(address, api_key=key, timeout=300) as client:
            while True:
                await client.add_many([text(40) for _ in range(400)])

    await asyncio.gather(*(store() for _ in range(4)))


@contextmanager
def process(*arguments: str, environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A Python program that is ended with the block."""
    started = subprocess.Popen([sys.executable, "-m", *arguments], env={**os.environ, **environment})
    try:
        yield started
    finally:
        started.terminate()
        started.wait()


def wait_for(directory: Path) -> str:
    """The address of the server of a data directory, once it serves."""
    state = directory / "server.json"
    while not state.exists():
        time.sleep(0.05)
    return str(json.loads(state.read_text("utf-8"))["address"])


async def make_keys(address: str) -> Sequence[str]:
    """Keys of two tenants."""
    async with quipu.connect(address, api_key=ENVIRONMENT["QUIPU_MASTER_KEY"]) as administrator:
        for tenant in ("quiet", "busy"):
            await administrator.create_tenant(tenant)
        return [(await administrator.create_api_key(tenant, "write")).secret for tenant in ("quiet", "busy")]


async def measure(address: str, seconds: float) -> tuple[Sequence[float], Sequence[float]]:
    """Milliseconds of searches alone, before and after the load, and beside it."""
    quiet, busy = await make_keys(address)
    async with quipu.connect(address, api_key=quiet) as client:
        await client.add_many([text(20) for _ in range(MEMORIES)])
        await search(client, 2)
        before = await search(client, seconds / 2)
        with process("bench.fairness", "--load", address, busy, environment={}):
            await asyncio.sleep(3)
            beside = await search(client, seconds)
        return [*before, *await search(client, seconds / 2)], beside


def main(seconds: float) -> None:
    with TemporaryDirectory(prefix="quipu-fairness-") as directory:
        serve = ("quipu_server", "serve", "--port", "0", "--log-level", "error", "--data-dir", directory)
        with process(*serve, environment=ENVIRONMENT):
            alone, beside = asyncio.run(measure(wait_for(Path(directory)), seconds))
    for name, took in {"alone": alone, "beside a bulk load": beside}.items():
        p50, p95 = np.percentile(took, [50, 95])
        print(f"{name:20} {len(took):6} searches   p50 {p50:7.2f} ms   p95 {p95:7.2f} ms")
    print(f"ratio of p95         {np.percentile(beside, 95) / np.percentile(alone, 95):6.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--load", nargs=2, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.load:
        asyncio.run(load(*chosen.load))
    else:
        main(chosen.seconds)
