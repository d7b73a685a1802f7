"""Stores the made memories in a server, as a user would: by RPC, with their vectors."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import islice

from bench import requests
from bench.load import RawClient
from bench.scale_corpus import Batch, Material, make
from bench.scale_index import SHARES
from quipu_server.domain import MemoryFields

CALL = 500
"""Memories stored in one call: the most that the server takes."""


async def store_made(clients: Sequence[RawClient], space: str, material: Material, size: int) -> AsyncIterator[int]:
    """Store the memories from the first; give the number of those that are there, as it grows."""
    for batch in make(material, size):
        calls = iter(_calls(space, material, batch))
        while some := list(islice(calls, len(clients))):
            await asyncio.gather(*(client.create_many(call) for client, call in zip(clients, some, strict=False)))
        yield batch.first + len(batch.codes)


def _calls(space: str, material: Material, batch: Batch) -> Iterator[bytes]:
    memories = [_memory(material, batch, place) for place in range(len(batch.codes))]
    for start in range(0, len(memories), CALL):
        some = slice(start, start + CALL)
        yield from requests.creations(space, batch.first + start, memories[some], batch.codes[some], CALL)


def _memory(material: Material, batch: Batch, place: int) -> MemoryFields:
    first, second = batch.parents[place].tolist()
    content = material.sentences[first] if second < 0 else f"{material.sentences[first]} {material.sentences[second]}"
    tags = tuple(tag for tag, share in SHARES.items() if batch.lots[place] < share)
    return MemoryFields(content, session=f"session_{(batch.first + place) // 20}", tags=tags)
