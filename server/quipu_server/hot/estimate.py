"""What an index will take, before it is loaded."""

from quipu_server.hot.index import FREEZE_ROWS
from quipu_server.hot.tuning import DEFAULT_TUNING, Tuning

MEMORY_BYTES = 1_500
"""What a memory takes, about: a vector of 384 numbers, its words, ids and times. See docs/capacity.md."""

NEW_BYTES = 2_100
"""What each of the newest memories takes beside that."""

DIMENSION = 384
"""Of the vectors that the figures are of."""

WEIGHT = 0.2
"""Of the last index that was loaded: others had other words and vectors."""


class Estimate:
    """Learns from the indexes that were loaded how far the figures above are off."""

    def __init__(self, tuning: Tuning = DEFAULT_TUNING) -> None:
        self._tuning = tuning
        self._factor = 1.0

    def of(self, memory_count: int) -> int:
        """Bytes of an index of so many memories."""
        return int(self._factor * self._bytes(memory_count))

    def learn(self, memory_count: int, nbytes: int) -> None:
        """Take notice of what an index takes."""
        if memory_count:
            self._factor += WEIGHT * (nbytes / self._bytes(memory_count) - self._factor)

    def _bytes(self, memory_count: int) -> int:
        """By the figures above; a large index has a graph built beside what it holds."""
        graph = self._tuning.graph_row_bytes(memory_count, DIMENSION) if memory_count > self._tuning.graph_rows else 0
        return (MEMORY_BYTES + graph) * memory_count + NEW_BYTES * min(memory_count, FREEZE_ROWS)
