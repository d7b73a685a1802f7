"""Models, and what they make of texts."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from quipu_server.domain.values import Vectors


class Purpose(StrEnum):
    """What a vector is for."""

    QUERY = "query"
    PASSAGE = "passage"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """An embedding model. `max_tokens` counts special tokens; see `EmbeddingModel` in the API."""

    name: str
    dimension: int
    max_tokens: int
    pooling: str
    query_prefix: str
    passage_prefix: str
    fingerprint: str
    is_default: bool = False

    @property
    def resource_name(self) -> str:
        return f"models/{self.name}"


@dataclass(frozen=True, slots=True)
class TextToEmbed:
    """A text; `header` is put before it, and before each chunk of it when it is longer than the model's window."""

    text: str
    header: str = ""


@dataclass(frozen=True, slots=True)
class EmbeddedText:
    """Vectors of the chunks of a text: float32 (chunks, dimension) of unit length; spans int32 (chunks, 2) of its text.

    token_count: tokens of header and text, without special tokens.
    """

    vectors: Vectors
    spans: NDArray[np.int32]
    token_count: int
