"""Makes the indexed text of memories: vectors and terms."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import numpy as np

from quipu_server.domain import (
    EmbeddedText,
    MemoryFields,
    Passage,
    Purpose,
    Space,
    TextToEmbed,
    Vector,
)
from quipu_server.errors import FailedPrecondition
from quipu_server.ports import Analyser, Embedder, Lane
from quipu_server.turns import in_turns


class Passages:
    """Turns fields of memories into passages."""

    def __init__(self, embedder: Embedder, analyser: Analyser) -> None:
        self._embedder = embedder
        self._analyser = analyser

    async def make(
        self,
        space: Space,
        fields: Sequence[MemoryFields],
        vectors: Sequence[Vector | None],
        lane: Lane,
        *,
        later: bool = False,
    ) -> Sequence[Passage]:
        """A passage for each; texts that bring a vector are not embedded. later: nor are the others, now.

        Raises FailedPrecondition when a given vector has not the dimension of the space's model.
        """
        texts = [TextToEmbed(f.content, f.header) for f, v in zip(fields, vectors, strict=True) if v is None]
        if later:
            embedded = iter([self._nothing(space)] * len(texts))
        else:
            embedded = iter(await self._embedder.embed(space.model, texts, Purpose.PASSAGE, lane) if texts else ())

        def passage(given: tuple[MemoryFields, Vector | None]) -> Passage:
            f, v = given
            return self._passage(space, f, next(embedded) if v is None else self._given(space, f, v))

        made = await in_turns(passage, zip(fields, vectors, strict=True))
        # With a vector storing is fast, and counting would not be lost in it: that is left to the first who asks.
        counted = [place for place, f in enumerate(fields) if f.is_message and vectors[place] is None]
        if counted:
            counts = await self._embedder.count_tokens(space.model, [fields[place].content for place in counted])
            for place, token_count in zip(counted, counts, strict=True):
                made[place] = replace(made[place], token_count=token_count)
        return made

    def scale(self, space: Space, vector: Vector) -> Vector:
        """The vector scaled to unit length. Raises FailedPrecondition when its dimension is wrong."""
        dimension = self._embedder.model(space.model).dimension
        if len(vector) != dimension:
            raise wrong_dimension(space, dimension, len(vector))
        wide = vector.astype(np.float64)
        wide /= np.abs(wide).max()
        return (wide / math.sqrt(wide.dot(wide))).astype(np.float32)

    def _nothing(self, space: Space) -> EmbeddedText:
        dimension = self._embedder.model(space.model).dimension
        return EmbeddedText(np.empty((0, dimension), np.float32), np.empty((0, 2), np.int32), 0)

    def _given(self, space: Space, fields: MemoryFields, vector: Vector) -> EmbeddedText:
        span = np.array([[0, len(fields.content)]], dtype=np.int32)
        return EmbeddedText(self.scale(space, vector)[None, :], span, 0)

    def _passage(self, space: Space, fields: MemoryFields, embedded: EmbeddedText) -> Passage:
        words = self._analyser.terms(fields.header + fields.content, space.language)
        counts = Counter(words)
        return Passage(
            id=uuid4(),
            content=fields.content,
            terms=tuple(counts),
            frequencies=tuple(counts.values()),
            length=len(words),
            vectors=embedded.vectors,
            spans=embedded.spans,
        )


def wrong_dimension(space: Space, expected: int, actual: int) -> FailedPrecondition:
    """The error for a vector of the wrong length."""
    return FailedPrecondition(
        space.resource_name,
        f"a vector of {space.model} has {expected} numbers, not {actual}",
        reason="MODEL_MISMATCH",
        metadata={"expected": str(expected), "actual": str(actual)},
    )
