"""Two sides of a ratio, measured in turns, so that a machine that slows down slows both."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from rich.table import Table

Side = Callable[[], Awaitable[float]]
"""Measures once."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians of some rounds. `others` are summed; `unit` is that of both sides.

    reach: the ratio to reach, as text. inverted: the ratio is the others over ours.
    """

    measure: str
    unit: str
    ours: float
    others: Mapping[str, float]
    reach: str
    inverted: bool = False

    @property
    def ratio(self) -> float:
        theirs = sum(self.others.values())
        return theirs / self.ours if self.inverted else self.ours / theirs


async def take_turns(sides: Sequence[Side], rounds: int) -> Sequence[float]:
    """Measure all sides once a round; the median of each."""
    taken = [[await side() for side in sides] for _ in range(rounds)]
    return [median(values) for values in zip(*taken, strict=True)]


def table_of(comparisons: Sequence[Comparison]) -> Table:
    """Both sides of each ratio."""
    table = Table("measure", "against", title="Ratios of one run")
    for heading in ("ours", "against", "unit", "ratio", "reach"):
        table.add_column(heading, justify="right")
    for c in comparisons:
        parts = " + ".join(f"{name} {_short(value)}" for name, value in c.others.items())
        table.add_row(
            c.measure, parts, _short(c.ours), _short(sum(c.others.values())), c.unit, f"{c.ratio:.2f}", c.reach
        )
    return table


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
