"""Progress bars with rate and time left, on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

Advance: TypeAlias = Callable[[int], None]
"""Called with how many more are done."""


class RateColumn(ProgressColumn):
    """How many are done a second."""

    def render(self, task: Task) -> Text:
        elapsed = task.finished_time or task.elapsed
        return Text(f"{task.completed / elapsed:,.0f}/s" if elapsed else "", style="progress.data.speed")


@contextmanager
def counting(what: str, total: int | None, *, shown: bool = True) -> Iterator[Advance]:
    """Show how many are done, and of how many if that is known. Off a terminal, only the last state is printed."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), RateColumn(), TimeRemainingColumn())
    bar = Progress(
        *columns, console=Console(stderr=True), redirect_stdout=False, redirect_stderr=False, disable=not shown
    )
    with bar:
        task = bar.add_task(what, total=total)
        yield lambda more: bar.advance(task, more)
