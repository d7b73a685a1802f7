"""`quipu export`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from quipu_server.cli.connection import connected, space_option
from quipu_server.cli.lines import to_line

PAGE_SIZE = 200


@click.command("export")
@click.argument("file", default="-", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--filter", help="Which memories, such as 'session = \"s1\"'.")
@space_option
def export_memories(address: str, space: str, file: str, filter: str | None) -> None:
    """Write the memories of a space to FILE (standard output by default), one JSON object a line, oldest first.

    The space is written as it stands when the export begins. `quipu import` reads the lines.
    """
    from quipu_server.cli.progress import counting

    with connected(address, space) as client:
        total = None if filter else client.get_space().memory_count
        shown = file != "-" or not sys.stdout.isatty()
        with writing(file) as out, counting(f"from {space}", total, shown=shown) as advance:
            for memory in client.list(filter=filter, page_size=PAGE_SIZE):
                out.write(to_line(memory) + "\n")
                advance(1)


@contextmanager
def writing(file: str) -> Iterator[IO[str]]:
    """Standard output, or a file that gets its name when it is complete."""
    part = file if file == "-" else f"{file}.part"
    with click.open_file(part, "w", encoding="utf-8") as out:
        yield out
    if part != file:
        Path(part).replace(file)
