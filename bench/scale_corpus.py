"""As many vectors as are asked for, made of real sentences.

The first are those of the sentences as they are: of LoCoMo and SciFact, or of the sample that ships with the server.
Each further one is unit(a + t·b + g): the vectors a and b of two sentences drawn at random, t drawn from 0.1 to 0.9,
and g Gaussian noise of length 0.35, about. So they lie where texts lie that say two things: a question's nearest ten
are as near as among the sentences themselves (cosine 0.48 against 0.46 for the tenth), and the nearest neighbour of a
made one is nearer (0.85 against 0.69). Its words are those of both sentences. Queries are real questions and claims,
which no vector is made of.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from bench import parts
from bench.corpus import make_corpus, sample_lines
from bench.locomo import load_locomo
from bench.scifact import load_scifact
from quipu_server.domain import MemoryFields, Vectors
from quipu_server.hot.codes import Codes

WORDS = range(3, 61)
"""Of a sentence: less says nothing, more is no sentence."""
LEAST_SHARE, MOST_SHARE, NOISE = 0.1, 0.9, 0.35
BATCH = 16_384
K = 10
ALL = ""
"""The tag of all."""

_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Material:
    """Sentences and questions with their vectors."""

    sentences: Sequence[str]
    vectors: Vectors
    questions: Sequence[str]
    queries: Vectors


@dataclass(frozen=True, slots=True)
class Batch:
    """Made memories `first`, `first + 1` …: codes, numbers of the sentences (-1: none), and a lot from 0 to 1 each."""

    first: int
    codes: Codes
    parents: NDArray[np.int64]
    lots: NDArray[np.float64]


def gather_material(folder: Path | None, sentence_count: int, question_count: int) -> Material:
    """Read and embed. Raises MissingData."""
    sentences, questions = _texts(folder, question_count)
    Random(1).shuffle(sentences)
    Random(2).shuffle(questions)
    sentences, questions = sentences[:sentence_count], questions[:question_count]
    with parts.embedder() as embedder:
        vectors = asyncio.run(parts.embed_memories(embedder, [MemoryFields(text) for text in sentences]))
        return Material(sentences, vectors, questions, asyncio.run(parts.embed_questions(embedder, questions)))


def make(material: Material, size: int) -> Iterator[Batch]:
    """The same memories every time: a smaller size is a beginning of a larger one."""
    for number, first in enumerate(range(0, size, BATCH)):
        random = np.random.default_rng([20240101, number])
        count = min(BATCH, size - first)
        parents = random.integers(len(material.sentences), size=(BATCH, 2))
        vectors = _mixed(material.vectors, parents, random)
        lots = random.random(BATCH)
        if (left := max(0, len(material.sentences) - first)) > 0:
            real = np.arange(first, first + min(left, BATCH))
            vectors[: len(real)] = material.vectors[real]
            parents[: len(real)] = np.stack([real, np.full(len(real), -1)], axis=1)
        yield Batch(first, vectors[:count].astype(np.float16), parents[:count], lots[:count])


@dataclass(frozen=True, slots=True)
class Exact:
    """All codes, and the least score of the ten nearest to each query, by tag: what an exact search finds."""

    vectors: Codes
    tenth: Mapping[str, NDArray[np.float32]]


def find_exact(material: Material, size: int, shares: Mapping[str, float]) -> Exact:
    """Compare all with all. shares: of the memories that have a tag, by tag."""
    best = {tag: np.full((K, len(material.queries)), -np.inf, np.float32) for tag in (ALL, *shares)}
    codes = []
    for batch in make(material, size):
        codes.append(batch.codes)
        scores = batch.codes.astype(np.float32) @ material.queries.T
        for tag in best:
            some = scores[batch.lots < shares.get(tag, 1.0)]
            best[tag] = np.partition(np.concatenate([best[tag], some]), -K, axis=0)[-K:]
    return Exact(np.concatenate(codes), {tag: scores.min(axis=0) for tag, scores in best.items()})


def count_words(material: Material, analyse: Callable[[str], Sequence[str]]) -> Sequence[Counter[str]]:
    """The analysed words of each sentence; nothing behind the last, for "none"."""
    return [*(Counter(analyse(text)) for text in material.sentences), Counter()]


def _mixed(vectors: Vectors, parents: NDArray[np.int64], random: np.random.Generator) -> Vectors:
    shares = random.uniform(LEAST_SHARE, MOST_SHARE, (len(parents), 1)).astype(np.float32)
    dimension = vectors.shape[1]
    noise = random.standard_normal((len(parents), dimension), np.float32) * np.float32(NOISE / dimension**0.5)
    mixed = vectors[parents[:, 0]] + shares * vectors[parents[:, 1]] + noise
    found: Vectors = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
    return found


def _texts(folder: Path | None, question_count: int) -> tuple[list[str], list[str]]:
    if folder is None:
        return _sentences(sample_lines()), list(make_corpus(None, 100, question_count).questions)
    collections = [*load_locomo(folder), load_scifact(folder)]
    texts = [memory["content"] for collection in collections for memory in collection.memories]
    return _sentences(texts), [question.text for collection in collections for question in collection.questions]


def _sentences(texts: Sequence[str]) -> list[str]:
    """The different sentences, in their order."""
    found = dict.fromkeys(sentence for text in texts for sentence in _END.split(text))
    return [sentence for sentence in found if len(sentence.split()) in WORDS]
