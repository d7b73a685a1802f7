"""Does one tenant's bulk load slow another's searches? p95 of searches alone, and beside the load, in one run.

python -m bench.fairness [--seconds 20]
"""

import argparse
import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import quipu
from quipu_server.app import running
from quipu_server.config import Settings
from quipu_server.logs import configure_logs

CREDENTIALS = {"key_secret": "a secret for the benchmark only", "master_key": "a master key for the benchmark"}
WORDS = [
    "flat",
    "balcony",
    "cat",
    "train",
    "river",
    "bread",
    "winter",
    "letter",
    "garden",
    "music",
    "market",
    "island",
    "engine",
    "lamp",
    "story",
]
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


async def load(client: quipu.Client) -> None:
    """Store memories as fast as the server takes them."""
    while True:
        await client.add_many([quipu.Draft(text(40)) for _ in range(400)])


@asynccontextmanager
async def tenants(directory: Path) -> AsyncIterator[tuple[quipu.Client, list[quipu.Client]]]:
    """A client of one tenant, and several of another."""
    settings = Settings.model_validate({"port": 0, "data_dir": directory} | CREDENTIALS)
    async with running(settings) as server:
        await server.ready()
        address = f"127.0.0.1:{server.port}"
        async with quipu.connect(address, api_key=CREDENTIALS["master_key"]) as administrator:
            secrets = []
            for tenant in ("quiet", "busy"):
                await administrator.create_tenant(tenant)
                secrets.append((await administrator.create_api_key(tenant, "write")).secret)
        quiet, busy = ([quipu.connect(address, api_key=key, timeout=300) for _ in range(4)] for key in secrets)
        yield quiet[0], busy
        for client in (*quiet, *busy):
            await client.close()


async def main(seconds: float) -> None:
    configure_logs("error", "json")
    with TemporaryDirectory(prefix="quipu-fairness-") as directory:
        async with tenants(Path(directory)) as (quiet, busy):
            await quiet.add_many([quipu.Draft(text(20)) for _ in range(MEMORIES)])
            await search(quiet, 2)
            alone = list(await search(quiet, seconds / 2))
            work = [asyncio.create_task(load(client)) for client in busy]
            await asyncio.sleep(2)
            beside = await search(quiet, seconds)
            for task in work:
                task.cancel()
                with suppress(asyncio.CancelledError, quipu.Cancelled):
                    await task
            alone += await search(quiet, seconds / 2)
    values = {"alone": alone, "beside a bulk load": beside}
    for name, took in values.items():
        p50, p95 = np.percentile(took, [50, 95])
        print(f"{name:20} {len(took):6} searches   p50 {p50:7.2f} ms   p95 {p95:7.2f} ms")
    print(f"ratio of p95         {np.percentile(beside, 95) / np.percentile(alone, 95):6.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    asyncio.run(main(parser.parse_args().seconds))
