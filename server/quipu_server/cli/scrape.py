"""Metrics as they were at one moment, and what came since another."""

import math
import time
from dataclasses import dataclass
from itertools import pairwise

from prometheus_client.parser import text_string_to_metric_families

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass(frozen=True, slots=True)
class Scrape:
    """All values by name and labels. Whatever is asked with fewer labels is the sum over the others."""

    values: Series
    time_s: float

    @classmethod
    def read(cls, text: str) -> "Scrape":
        """The values of a page of metrics. Raises ValueError."""
        families = text_string_to_metric_families(text)
        values = {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}
        return cls(values, time.monotonic())

    def value(self, name: str, **labels: str) -> float:
        """The value now."""
        wanted = labels.items()
        return sum(value for (other, given), value in self.values.items() if other == name and wanted <= given)

    def labels(self, name: str, label: str) -> set[str]:
        """The values of a label."""
        return {dict(given)[label] for other, given in self.values if other == name}

    def since(self, before: "Scrape", name: str, **labels: str) -> float:
        """What was added to a counter since; all of it when that is the same moment, or the server began anew."""
        now, then = self.value(name, **labels), before.value(name, **labels)
        return now if before is self or then > now else now - then

    def rate(self, before: "Scrape", name: str, **labels: str) -> float:
        """What was added a second; since the start of the server when that is the same moment."""
        spent_s = (
            time.time() - self.value("quipu_start_time_seconds") if before is self else self.time_s - before.time_s
        )
        return self.since(before, name, **labels) / max(spent_s, 1e-9)

    def quantile(self, before: "Scrape", name: str, share: float, **labels: str) -> float | None:
        """A quantile of what a histogram counted since; None for nothing. Exact as far as its buckets are."""
        bounds = sorted(self.labels(f"{name}_bucket", "le"), key=float)
        counts = [self.since(before, f"{name}_bucket", le=bound, **labels) for bound in bounds]
        if not counts or not counts[-1]:
            return None
        wanted, edges = share * counts[-1], [0.0, *map(float, bounds)]
        for (low, high), (less, more) in zip(pairwise(edges), pairwise([0.0, *counts]), strict=True):
            if more >= wanted:
                return low if math.isinf(high) else low + (high - low) * (wanted - less) / max(more - less, 1e-9)
        return None
