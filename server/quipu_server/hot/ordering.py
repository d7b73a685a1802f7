"""The order of results."""

import numpy as np
from numpy.typing import NDArray

from quipu_server.hot.contents import Contents, Slots
from quipu_server.scoring import best


def best_slots(contents: Contents, slots: Slots, scores: NDArray[np.float64], depth: int) -> Slots:
    """The `depth` slots with the highest scores, equal ones by memory id."""
    if len(slots) > depth:
        leading = scores >= np.partition(scores, -depth)[-depth]
        slots, scores = slots[leading], scores[leading]
    order = np.argsort(-scores)
    ranked = scores[order]
    if (ranked[1:] == ranked[:-1]).any():
        return best(slots, scores, contents.columns.texts["id"].decode(slots), depth)
    return slots[order[:depth]]
