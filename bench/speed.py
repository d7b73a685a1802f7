"""The measures of speed: what the server does, against what its parts or the plain way cost alone."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from statistics import median

import numpy as np

from bench import parts, requests
from bench.comparison import Comparison, Side, take_turns
from bench.load import RawClient, Step, median_ms, steps_a_second, store_all
from bench.metrics import recall_of_ten
from bench.rival import EF_SEARCHES, Rival
from quipu.v1.ranking_pb2 import RankingWeights
from quipu_server.domain import MemoryFields, Vectors
from quipu_server.embedding import OnnxEmbedder
from quipu_server.hot import dense
from quipu_server.hot.contents import Contents

SPACE = "speed"
LATER = "later"
LOOK_S = 0.05
"""Between two looks whether all is embedded."""
ROUNDS = 5
WRITERS = 4
"""Clients that store at once."""
STEPS = 60
"""One after the other in a round, where the time of one counts."""
SECONDS = 2.0
"""Of a round, where the rate counts."""
TEXTS = 1_500
"""Questions embedded alone in a round."""
SLICE = 1_000
"""Memories stored by text in a round."""
BATCH = 100
VECTOR_SLICE = 2_000
"""Memories stored with their vectors in a round."""
VECTOR_BATCH = 500
"""The most that the server takes in one call."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What the measures share. questions: so many different ones that no cache holds them when they come again."""

    clients: Sequence[RawClient]
    embedder: OnnxEmbedder
    rival: Rival
    memories: Sequence[MemoryFields]
    questions: Iterator[str]

    def next_questions(self, number: int) -> Sequence[str]:
        return [next(self.questions) for _ in range(number)]

    def searching(self, client: RawClient, ranking: RankingWeights | None = None) -> Step:
        """A step that searches with the next question."""
        return lambda: client.search(requests.text_search(SPACE, next(self.questions), ranking))


@dataclass(frozen=True, slots=True)
class Filled:
    """The space that is searched: the vectors of its memories, its index in this process, vectors of some questions."""

    vectors: Vectors
    contents: Contents
    queries: Vectors


async def ingest_text(setting: Setting) -> tuple[Comparison, Vectors]:
    """Store all memories by text, and embed them alone, slice by slice; the vectors, too."""
    stored, embedded, vectors = [], [], []
    for start in range(0, len(setting.memories), SLICE):
        some = setting.memories[start : start + SLICE]
        batches = requests.creations(SPACE, start, some, None, BATCH)
        stored.append(len(some) / await store_all(setting.clients[:WRITERS], batches))
        started = time.perf_counter()
        vectors.append(await parts.embed_memories(setting.embedder, some))
        embedded.append(len(some) / (time.perf_counter() - started))
    comparison = Comparison(
        f"ingest of text, {WRITERS} clients, {BATCH} a call",
        "memories/s",
        median(stored),
        {"embedding": median(embedded)},
        "≥ 0.9",
    )
    return comparison, np.concatenate(vectors)


async def ingest_later(setting: Setting) -> Sequence[Comparison]:
    """Store a slice by text without waiting for the model, and wait until a job has embedded it."""
    some = setting.memories[:SLICE]
    started = time.perf_counter()
    await parts.embed_memories(setting.embedder, some)
    alone_s = time.perf_counter() - started
    batches = requests.creations(LATER, 0, some, None, BATCH, later=True)
    acknowledged_s = await store_all(setting.clients[:WRITERS], batches)
    started, waiting = time.perf_counter(), SLICE
    while waiting:
        waiting = requests.unembedded_count(await setting.clients[0].search(requests.text_search(LATER, "lamp")))
        await asyncio.sleep(LOOK_S)
    lag_s = time.perf_counter() - started
    name = f"deferred ingest of text, {WRITERS} clients, {BATCH} a call"
    rate = Comparison(
        f"{name}: acknowledged", "memories/s", len(some) / acknowledged_s, {"embedding": len(some) / alone_s}, "≥ 3"
    )
    lag = Comparison(f"{name}: from the last to all by meaning", "s", lag_s, {"embedding": alone_s}, "≤ 1.5")
    return [rate, lag]


async def warm(setting: Setting) -> None:
    """Search until the space is hot."""
    is_hot = False
    while not is_hot:
        is_hot = requests.is_hot(await setting.clients[0].search(requests.text_search(SPACE, next(setting.questions))))


async def search_one(setting: Setting, filled: Filled) -> Comparison:
    """The median time of a text search of one client."""
    client, steps = setting.clients[0], ROUNDS * STEPS
    sides = {
        "ours": setting.searching(client),
        "embedding": parts.embedding_steps(setting.embedder, setting.next_questions(steps)),
        "dense": parts.dense_steps(filled.contents, filled.queries[np.arange(steps) % len(filled.queries)]),
        "words": parts.lexical_steps(filled.contents, setting.next_questions(steps)),
        "empty RPC": client.ask_nothing,
    }
    taken = await take_turns([_timing(step) for step in sides.values()], ROUNDS)
    ours, *others = taken
    return Comparison(
        f"text search of {len(setting.memories):,} memories, one client, p50",
        "ms",
        ours,
        dict(zip(list(sides)[1:], others, strict=True)),
        "≤ 1.5",
    )


async def search_conversations(setting: Setting) -> Comparison:
    """The median time of a search of messages, with what conversations say of them and without."""
    client = setting.clients[0]
    sides = [setting.searching(client), setting.searching(client, requests.WITHOUT_CONVERSATION)]
    ours, plain = await take_turns([_timing(step) for step in sides], ROUNDS)
    name = "text search of messages, ranked by neighbours, sessions and roles too, p50"
    return Comparison(name, "ms", ours, {"without these": plain}, "≤ 1.3")


async def search_many(setting: Setting) -> Comparison:
    """Text searches a second of all clients together."""
    questions = setting.next_questions(TEXTS)

    async def embed() -> float:
        started = time.perf_counter()
        await parts.embed_questions(setting.embedder, questions)
        return len(questions) / (time.perf_counter() - started)

    ours, alone = await take_turns([_rate([setting.searching(c) for c in setting.clients]), embed], ROUNDS)
    return Comparison(f"text search, {len(setting.clients)} clients", "searches/s", ours, {"embedding": alone}, "≥ 0.8")


async def search_by_vector(setting: Setting, filled: Filled) -> Comparison:
    """Searches by given vectors a second of all clients together."""
    messages = [requests.vector_search(SPACE, query) for query in filled.queries]
    numbers = count()

    def searching(client: RawClient) -> Step:
        return lambda: client.search(messages[next(numbers) % len(messages)])

    sides = [_rate([searching(c) for c in setting.clients]), _rate([c.ask_nothing for c in setting.clients])]
    ours, empty = await take_turns(sides, ROUNDS)
    return Comparison(
        f"search by given vector, {len(setting.clients)} clients", "searches/s", ours, {"empty RPC": empty}, "≥ 0.5"
    )


async def ingest_vectors(setting: Setting, filled: Filled) -> Comparison:
    """Store memories with their vectors, and COPY them into a plain table."""
    ours, plain = [], []
    for number in range(ROUNDS):
        part = slice(number * VECTOR_SLICE % len(setting.memories), None)
        some, vectors = setting.memories[part][:VECTOR_SLICE], filled.vectors[part][:VECTOR_SLICE]
        batches = requests.creations(f"vectors-{number}", 0, some, vectors, VECTOR_BATCH)
        ours.append(len(some) / await store_all(setting.clients[:WRITERS], batches))
        plain.append(len(some) / await setting.rival.fill(f"copy_{number}", some, vectors))
    return Comparison(
        f"ingest of given vectors, {WRITERS} clients, {VECTOR_BATCH} a call",
        "memories/s",
        median(ours),
        {"plain COPY": median(plain)},
        "≥ 0.6",
    )


async def recall(setting: Setting, filled: Filled) -> Comparison:
    """Recall@10 of searches by vector, by similarity alone, against an exact search."""
    messages = [requests.vector_search(SPACE, query, requests.BY_SIMILARITY_ALONE) for query in filled.queries]
    found = [requests.numbers_found(await setting.clients[0].search(message)) for message in messages]
    return Comparison(
        f"recall@10 of {len(setting.memories):,} memories", "", _recall(found, filled), {"exact": 1.0}, "1.0"
    )


async def hot_beside_pgvector(setting: Setting, filled: Filled) -> Comparison:
    """The median time of a search of the index alone and through pgvector, with recall no lower if it can."""
    await setting.rival.fill("memories", setting.memories, filled.vectors)
    await setting.rival.index("memories")
    found = [dense.nearest(filled.contents, query, 10, None).tolist() for query in filled.queries]
    ef_search, reached = await _tune(setting.rival, filled, _recall(found, filled))
    numbers = count()

    async def search_hot() -> None:
        dense.nearest(filled.contents, filled.queries[next(numbers) % len(filled.queries)], 10, None)

    async def search_pgvector() -> None:
        await setting.rival.nearest("memories", filled.queries[next(numbers) % len(filled.queries)])

    ours, theirs = await take_turns([_timing(search_hot), _timing(search_pgvector)], ROUNDS)
    name = f"pgvector, ef_search {ef_search}, recall {reached:.3f}"
    return Comparison(
        f"hot index, recall {_recall(found, filled):.3f}, p50", "ms", ours, {name: theirs}, "≥ 5", inverted=True
    )


async def _tune(rival: Rival, filled: Filled, wanted: float) -> tuple[int, float]:
    """The lowest ef_search with this recall, or the highest there is; and its recall."""
    reached = 0.0
    ef_search = 0
    for ef_search in EF_SEARCHES:
        await rival.set_ef_search(ef_search)
        reached = _recall([await rival.nearest("memories", query) for query in filled.queries], filled)
        if reached >= wanted:
            break
    return ef_search, reached


def _recall(found: Sequence[Sequence[int]], filled: Filled) -> float:
    stored = filled.vectors.astype(np.float16).astype(np.float64)
    return recall_of_ten(found, filled.queries.astype(np.float64) @ stored.T)


def _timing(step: Step) -> Side:
    return partial(median_ms, step, STEPS)


def _rate(steps: Sequence[Step]) -> Side:
    return partial(steps_a_second, steps, SECONDS)
