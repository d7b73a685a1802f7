"""The order of results."""

import numpy as np
from numpy.typing import NDArray

from quipu_server.hot.contents import Contents, Slots
from quipu_server.scoring import descending


def best_slots(contents: Contents, slots: Slots, scores: NDArray[np.float64], depth: int) -> Slots:
    """The `depth` slots with the highest scores, equal ones by memory id."""
    if len(slots) > depth:
        leading = scores >= np.partition(scores, -depth)[-depth]
        slots, scores = slots[leading], scores[leading]
    ids = contents.columns.texts["id"]
    return slots[descending(scores, lambda places: ids.decode(slots[places]))[:depth]]
