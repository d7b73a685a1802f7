"""How well vectors agree with people's judgement of similarity, on STS-B, and whether they depend on the call."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.collection import data_file
from bench.metrics import spearman
from quipu import Client

FILE = "stsb-en-test.csv"
EMBED_TIMEOUT_S = 120.0
ALONE = 200
"""Texts that are embedded alone too."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two sentences and their similarity, 0 to 5."""

    left: str
    right: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Spearman's rank correlation of cosines and similarities, -1 to 1; how many texts got another vector alone."""

    pair_count: int
    spearman: float
    alone_count: int
    differing_count: int


def load_pairs(folder: Path) -> Sequence[Pair]:
    """The pairs of STS-B's test split. Raises MissingData."""
    with data_file(folder, FILE).open(encoding="utf-8", newline="") as file:
        return [Pair(left, right, float(similarity)) for left, right, similarity in csv.reader(file)]


async def measure_fidelity(client: Client, pairs: Sequence[Pair]) -> Fidelity:
    """Embed all sentences through the API, and some of them alone."""
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.left, pair.right)))
    embedded = await client.embed(*texts, timeout=EMBED_TIMEOUT_S)
    vectors = {text: chunks[0] for text, chunks in zip(texts, embedded, strict=True)}
    cosines = [float(vectors[pair.left] @ vectors[pair.right]) for pair in pairs]
    alone = {text: (await client.embed(text))[0][0] for text in texts[:ALONE]}
    differing = sum(not np.array_equal(vector, vectors[text]) for text, vector in alone.items())
    return Fidelity(len(pairs), spearman(cosines, [pair.similarity for pair in pairs]), len(alone), differing)
