"""The parts of a search alone, in this process: the server's own embedder, analyser and index."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import numpy as np

from bench.load import Step
from quipu_server.config import Settings
from quipu_server.domain import Change, IndexRow, MemoryFields, Purpose, TextToEmbed, Vector, Vectors
from quipu_server.embedding import OnnxEmbedder
from quipu_server.embedding.building import build_embedder
from quipu_server.hot import dense
from quipu_server.hot.contents import Contents
from quipu_server.hot.index import HotIndex
from quipu_server.hot.words import Matches
from quipu_server.ports import Lane
from quipu_server.search.pipeline import WINDOW
from quipu_server.text import SnowballAnalyser

LANGUAGE = "en"
PAGE_ROWS = 512
EPOCH = datetime(2024, 1, 1, tzinfo=UTC)


@contextmanager
def embedder() -> Iterator[OnnxEmbedder]:
    """An embedder with the default settings of the server."""
    built = build_embedder(Settings())
    try:
        yield built
    finally:
        built.close()


async def embed_memories(embedder: OnnxEmbedder, memories: Sequence[MemoryFields]) -> Vectors:
    """A vector for each memory: that of its first chunk."""
    texts = [TextToEmbed(memory.content, memory.header) for memory in memories]
    embedded = await embedder.embed("", texts, Purpose.PASSAGE, Lane.INGEST)
    return np.stack([text.vectors[0] for text in embedded])


async def embed_questions(embedder: OnnxEmbedder, questions: Sequence[str]) -> Vectors:
    """A vector for each question."""
    embedded = await embedder.embed("", [TextToEmbed(q) for q in questions], Purpose.QUERY, Lane.QUERY)
    return np.stack([text.vectors[0] for text in embedded])


def build_index(memories: Sequence[MemoryFields], vectors: Vectors) -> Contents:
    """The hot index of a space with these memories."""
    analyser, index = SnowballAnalyser(), HotIndex()
    rows = [_row(analyser, number, *pair) for number, pair in enumerate(zip(memories, vectors, strict=True))]
    for start in range(0, len(rows), PAGE_ROWS):
        index.append(rows[start : start + PAGE_ROWS])
    index.publish(len(rows))
    index.merge()
    return index.contents


def dense_steps(contents: Contents, vectors: Vectors) -> Step:
    """A step that gathers the candidates of the next vector."""
    waiting = iter(vectors)

    async def step() -> None:
        dense.nearest(contents, next(waiting), WINDOW, None)

    return step


def lexical_steps(contents: Contents, questions: Sequence[str]) -> Step:
    """A step that gathers the candidates of the next question by its words."""
    analyser, waiting = SnowballAnalyser(), iter(questions)

    async def step() -> None:
        terms = tuple(dict.fromkeys(analyser.terms(next(waiting), LANGUAGE)))
        found = Matches(contents, terms)
        found.best(found.statistics(), WINDOW, None)

    return step


def embedding_steps(embedder: OnnxEmbedder, questions: Sequence[str]) -> Step:
    """A step that embeds the next question."""
    waiting = iter(questions)

    async def step() -> Vector:
        return await embedder.embed_query("", next(waiting))

    return step


def _row(analyser: SnowballAnalyser, number: int, memory: MemoryFields, vector: Vector) -> IndexRow:
    counts = Counter(analyser.terms(memory.header + memory.content, LANGUAGE))
    return IndexRow(
        revision=number + 1,
        created=number + 1,
        nonce=1,
        memory_id=f"m{number}",
        change=Change.CREATED,
        kind=memory.kind,
        role=memory.role,
        speaker=memory.speaker,
        session=memory.session,
        tags=memory.tags,
        importance=memory.importance,
        event_time=memory.event_time,
        expire_time=memory.expire_time,
        create_time=EPOCH,
        update_time=EPOCH,
        terms=tuple(counts),
        frequencies=tuple(counts.values()),
        length=counts.total(),
        codes=vector.astype(np.float16)[None, :],
        spans=np.array([[0, len(memory.content)]], np.int32),
    )
