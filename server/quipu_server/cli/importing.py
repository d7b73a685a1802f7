"""`quipu import`: lines of JSON into a space, each exactly once however often it is run."""

import asyncio
from collections.abc import Callable, Generator
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from quipu_server.cli.batches import Batch, read_batches
from quipu_server.cli.connection import in_one_line, space_option
from quipu_server.cli.foreign import SERVICES, Report, foreign_lines

if TYPE_CHECKING:
    import quipu

SAMPLE = Path(str(files("quipu_server"))) / "samples" / "expedition.jsonl"
TIMEOUT_S = 120.0
"""For one batch: longer than its texts take on a slow machine behind a long queue."""


@click.command("import")
@click.argument("file", required=False, type=click.File("rb"))
@click.option("--sample", is_flag=True, help="Imports the notes of an invented expedition instead of FILE.")
@click.option("--from", "service", type=click.Choice(list(SERVICES)), help="The service that exported FILE.")
@click.option(
    "--parallel",
    default=4,
    show_default=True,
    type=click.IntRange(1, 64),
    help="Batches of 100 lines under way at once; 1 stores the lines in their order.",
)
@space_option
def import_memories(
    address: str, space: str, file: BinaryIO | None, sample: bool, service: str | None, parallel: int
) -> None:
    """Store the memories of FILE, one JSON object a line (- for standard input).

    A line has the fields of a memory: content and, if wanted, id, kind, role, speaker, session, tags, metadata,
    importance, event_time, expire_time, vector. Times are RFC 3339. Metadata is plain JSON, where a time is written
    {"time": "2024-05-08T13:56:00Z"}. What `quipu export` writes can be read.

    --from reads what another service exported: a list of records, an answer of its API, or one record a line. At the
    end it reports what was skipped, and which fields have no place here.

    If it is interrupted, run it again with the same file within 7 days: what was stored is not stored again.
    """
    from quipu_server.cli.progress import counting

    if (file is None) != sample:
        raise click.UsageError("give a file, or - for standard input, or --sample")
    with file or SAMPLE.open("rb") as source, in_one_line():
        report = Report()
        unit, lines = ("record", convert(source, service, report)) if service else ("line", source)
        with counting(f"into {space}", count(lines)) as advance:
            asyncio.run(store(address, space, read_batches(lines, unit), parallel, advance))
    for line in report.lines() if service else ():
        click.echo(line)


def convert(export: BinaryIO, service: str, report: Report) -> BinaryIO:
    """The export of another service as lines. Raises ValueError."""
    return BytesIO(b"".join(line + b"\n" for line in foreign_lines(export.read(), service, report)))


def count(lines: BinaryIO) -> int | None:
    """How many lines will be stored; None for a stream that can be read only once."""
    if not lines.seekable():
        return None
    start = lines.tell()
    number = sum(1 for line in lines if line.strip())
    lines.seek(start)
    return number


async def store(
    address: str, space: str, batches: Generator[Batch, None, None], parallel: int, advance: Callable[[int], None]
) -> None:
    """Send batches, several at once. After an error no further one is sent; those under way are finished."""
    import quipu

    async with quipu.connect(address, space=space, timeout=TIMEOUT_S) as client:

        async def send() -> None:
            try:
                for batch in batches:
                    await store_batch(client, batch, space)
                    advance(len(batch.drafts))
            finally:
                batches.close()

        outcomes = await asyncio.gather(*(send() for _ in range(parallel)), return_exceptions=True)
    for outcome in outcomes:
        if outcome is not None:
            raise outcome


async def store_batch(client: "quipu.Client", batch: Batch, space: str) -> None:
    """Raises LineError for what is wrong with a line, ClickException for what may go right the next time."""
    import quipu

    try:
        await client.add_many(batch.drafts, request_id=batch.request_id(space))
    except (quipu.InvalidArgument, quipu.AlreadyExists, quipu.FailedPrecondition) as error:
        raise batch.error(error) from error
    except (quipu.Unavailable, quipu.DeadlineExceeded) as error:
        again = "what was stored stays; run the same command again to go on"
        raise click.ClickException(f"{error}; {again}") from error
