"""Counts of values by size."""

from bisect import bisect_left

BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper ends of the buckets, each about twice the one before; a warm search takes some milliseconds."""


class Distribution:
    """How many values fell into each bucket, and their sum. Plain numbers: adding costs less than a microsecond."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Note a value."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.total += seconds

    @property
    def count(self) -> int:
        """How many values were noted."""
        return sum(self.counts)
