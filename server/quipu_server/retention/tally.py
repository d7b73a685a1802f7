"""What the runs of this process did, for the metrics."""

from collections import Counter
from collections.abc import Iterable

from quipu_server.measuring import Sample
from quipu_server.measuring.metrics import RETENTION_MEMORIES, RETENTION_RUNS
from quipu_server.ports.retention import Action


class Tally:
    """Counts what the runs of this process did."""

    def __init__(self) -> None:
        self._runs: Counter[str] = Counter()
        self._memories: Counter[Action] = Counter()

    def ran(self, *, dry_run: bool) -> None:
        self._runs["dry_run" if dry_run else "run"] += 1

    def did(self, action: Action, count: int) -> None:
        self._memories[action] += count

    def samples(self) -> Iterable[Sample]:
        """All of it."""
        yield from (RETENTION_RUNS.of(self._runs[mode], mode) for mode in ("run", "dry_run"))
        yield from (RETENTION_MEMORIES.of(self._memories[action], action.name.lower()) for action in Action)
