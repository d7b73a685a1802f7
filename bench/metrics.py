"""How good an order of hits is, and how well two orders of numbers agree."""

from collections.abc import Sequence, Set
from dataclasses import astuple, dataclass
from math import log2

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Quality:
    """The metrics of one question, or their means; 0 to 1."""

    recall_5: float
    recall_10: float
    recall_20: float
    ndcg_10: float
    mrr_10: float


def judge(found: Sequence[str], relevant: Set[str]) -> Quality:
    """Compare the ids that were found, best first, with the relevant ones, of which there is at least one."""
    return Quality(
        recall_at(5, found, relevant),
        recall_at(10, found, relevant),
        recall_at(20, found, relevant),
        ndcg_at(10, found, relevant),
        mrr_at(10, found, relevant),
    )


def mean(qualities: Sequence[Quality]) -> Quality:
    """The mean of each metric over at least one question."""
    return Quality(*np.mean([astuple(quality) for quality in qualities], axis=0).tolist())


def recall_at(k: int, found: Sequence[str], relevant: Set[str]) -> float:
    """The share of the relevant ones that is among the first `k`."""
    return len(relevant & set(found[:k])) / len(relevant)


def ndcg_at(k: int, found: Sequence[str], relevant: Set[str]) -> float:
    """The discounted gain of the first `k`, each relevant one worth 1, over that of the best possible order."""
    gain = sum(1 / log2(place + 2) for place, item in enumerate(found[:k]) if item in relevant)
    return gain / sum(1 / log2(place + 2) for place in range(min(k, len(relevant))))


def mrr_at(k: int, found: Sequence[str], relevant: Set[str]) -> float:
    """One over the place of the first relevant one, 0 when it is not among the first `k`."""
    return next((1 / (place + 1) for place, item in enumerate(found[:k]) if item in relevant), 0.0)


def spearman(left: ArrayLike, right: ArrayLike) -> float:
    """The correlation of the ranks of two series of numbers; equal numbers share the mean of their ranks."""
    return float(np.corrcoef(_ranks(left), _ranks(right))[0, 1])


def _ranks(values: ArrayLike) -> NDArray[np.float64]:
    _, places, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]


def recall_of_ten(found: Sequence[Sequence[int]], similarities: NDArray[np.float64]) -> float:
    """The mean share of the exact ten nearest that was found.

    similarities: of each query (row) to each item. An item as similar as the tenth counts as one of the ten.
    """
    tenth = np.partition(similarities, -10, axis=1)[:, -10]
    # Rounding may part items that are equally similar.
    hits = [row[list(items)] >= least - 1e-7 for row, items, least in zip(similarities, found, tenth, strict=True)]
    return float(np.mean([np.count_nonzero(some) / 10 for some in hits]))
