"""What is nearest to questions by an embedding model, computed here from what the model makes of the texts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from quipu_server.domain import Purpose, TextToEmbed
from quipu_server.embedding import read_directory
from quipu_server.embedding.onnx import OnnxModel

K = 10
ROUNDING = 1e-6
"""Sums in another order may part two that are equally similar."""


@dataclass(frozen=True, slots=True)
class Exact:
    """similarities: of each question (row) to each text, whose vectors have 16 bits a number, as they are stored."""

    similarities: NDArray[np.float64]
    best: NDArray[np.float64]
    """The ten highest of each row, descending."""

    @classmethod
    def of(cls, directory: Path, texts: Sequence[str], questions: Sequence[str], progress: Progress) -> Self:
        """By the model of this directory."""
        model = OnnxModel(read_directory(directory))
        shown = progress.track(texts, description=f"exact, {directory.name}")
        passages = _embed(model, shown, Purpose.PASSAGE).astype(np.float16).astype(np.float64)
        similarities = _embed(model, questions, Purpose.QUERY).astype(np.float64) @ passages.T
        return cls(similarities, -np.sort(-similarities, axis=1)[:, :K])

    def is_answer(self, question: int, places: Sequence[int]) -> bool:
        """Whether these places are the ten nearest in their order; equally similar ones may change places."""
        if len(set(places)) != len(places) or len(places) != self.best.shape[1]:
            return False
        found = self.similarities[question, list(places)]
        return bool(np.all(np.abs(found - self.best[question]) <= ROUNDING))

    def recall(self, question: int, places: Sequence[int]) -> float:
        """The share of the ten nearest among these places; one as similar as the tenth counts as one of them."""
        found = self.similarities[question, sorted(set(places))]
        return float(np.count_nonzero(found >= self.best[question, -1] - ROUNDING) / self.best.shape[1])


def _embed(model: OnnxModel, texts: Iterable[str], purpose: Purpose) -> NDArray[np.float32]:
    return np.concatenate([model.embed(TextToEmbed(text), purpose).vectors for text in texts])
