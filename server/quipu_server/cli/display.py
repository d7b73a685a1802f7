"""Output for people: lists and tables, and texts that cannot do anything to a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

LONGEST_TEXT = 400
"""Characters of a text in a list; `get` and `--json` show all of it."""
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One of a list: a figure in front, a text, and lines of details below it; empty details are left out."""

    figure: str
    text: str
    details: Sequence[Sequence[str]]


def show_entries(entries: Iterable[Entry]) -> None:
    """Print a list."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 1, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for entry in entries:
        lines = [" · ".join(part for part in line if part) for line in entry.details]
        below = Text("".join(f"\n{_printable(line)}" for line in lines if line), style="dim")
        table.add_row(Text(entry.figure, style="bold"), Text(_printable(clip(entry.text))) + below)
    _print(table)


def show_table(rows: Iterable[Mapping[str, str]], *, numbers: Sequence[str] = ()) -> None:
    """Print rows of cells by column; a column without any text is left out. `numbers` are aligned to the right."""
    from rich import box
    from rich.table import Table

    shown = list(rows)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    columns = [column for column in (shown[0] if shown else ()) if any(row[column] for row in shown)]
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in shown:
        table.add_row(*(_printable(row[column]) for column in columns))
    _print(table)


def show_fields(fields: Mapping[str, str]) -> None:
    """Print names and values, one pair a line."""
    from rich.table import Table

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(name, _printable(value))
    _print(table)


def show_time(time: datetime | None) -> str:
    """Local time to the minute; nothing for None."""
    return f"{time.astimezone():%Y-%m-%d %H:%M}" if time else ""


def one_line(text: str) -> str:
    """The beginning of a text, without line breaks."""
    return _printable(clip(" ".join(text.split())))


def clip(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def _printable(text: str) -> str:
    """The text without control characters, which could steer a terminal."""
    return "".join(char if char.isprintable() or char == "\n" else REPLACEMENT for char in text)


def _print(table: "Table") -> None:
    from rich.console import Console

    if table.row_count:
        Console(markup=False, highlight=False, emoji=False).print(table)
