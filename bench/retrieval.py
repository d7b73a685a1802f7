"""Stores collections through the API, asks their questions, and judges what is found."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from bench.collection import Collection, Question
from bench.metrics import Quality, judge
from quipu import Client, Draft
from quipu.searches import Mode

K = 20
BATCH = 50
"""Memories in one call."""
SPACES_AT_ONCE = 4
"""Spaces that are filled side by side; each in its order."""
SEARCHES_AT_ONCE = 16
TIMEOUT_S = 120.0

Advance = Callable[[int], None]
"""Told how many more are done."""


async def store(client: Client, collections: Sequence[Collection], advance: Advance) -> None:
    """Create the memories of each collection in its space, in order; messages are appended to their sessions."""
    gate = asyncio.Semaphore(SPACES_AT_ONCE)

    async def fill(collection: Collection) -> None:
        async with gate:
            for session, batch in _batches(collection.memories):
                if session:
                    await client.append(session, batch, space=collection.space, timeout=TIMEOUT_S)
                else:
                    await client.add_many(batch, space=collection.space, timeout=TIMEOUT_S)
                advance(len(batch))

    async with asyncio.TaskGroup() as tasks:
        for collection in collections:
            tasks.create_task(fill(collection))


async def ask(
    client: Client, collections: Sequence[Collection], mode: Mode | None, advance: Advance
) -> Sequence[tuple[Question, Quality]]:
    """Search with every question and judge its hits. mode: None leaves the choice to the server."""
    gate = asyncio.Semaphore(SEARCHES_AT_ONCE)

    async def answer(space: str, question: Question) -> tuple[Question, Quality]:
        async with gate:
            hits = await client.search(question.text, space=space, mode=mode, k=K, timeout=TIMEOUT_S).all()
        advance(1)
        return question, judge([hit.memory.name.rpartition("/")[2] for hit in hits], question.relevant)

    return await asyncio.gather(*(answer(c.space, question) for c in collections for question in c.questions))


def _batches(memories: Sequence[Draft]) -> Iterator[tuple[str, Sequence[Draft]]]:
    """Memories that follow each other in one session, or in none, with its name."""
    for session, group in groupby(memories, key=lambda memory: memory.get("session") or ""):
        drafts = list(group)
        for start in range(0, len(drafts), BATCH):
            yield session, drafts[start : start + BATCH]
