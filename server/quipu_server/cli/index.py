"""`quipu index`."""

from typing import TYPE_CHECKING, Any

import click

from quipu_server.cli.connection import address_option, connected
from quipu_server.cli.display import show_fields, show_table, show_time
from quipu_server.cli.lines import dump, write_time
from quipu_server.cli.memories import json_option

if TYPE_CHECKING:
    from quipu.v1.index_service_pb2 import IndexDescription


@click.group()
def index() -> None:
    """Look at the indexes of the server."""


@index.command("describe")
@click.argument("space")
@click.option(
    "--recall", "recall_sample", type=click.IntRange(0, 100), default=0, help="Memories to check recall with."
)
@json_option
@address_option
def describe_index(address: str, space: str, recall_sample: int, as_json: bool) -> None:
    """Show what the server holds of SPACE in memory."""
    with connected(address) as client:
        found = client.describe_index(space, recall_sample=recall_sample)
    if as_json:
        click.echo(dump(document(found)))
        return
    show_fields(fields(found))
    show_table(
        (
            {
                "segment": f"{number}",
                "kind": segment["kind"],
                "rows": f"{segment['rows']:,}",
                "size": size(segment["bytes"]),
            }
            for number, segment in enumerate(document(found)["segments"], start=1)
        ),
        numbers=["segment", "rows", "size"],
    )


def fields(found: "IndexDescription") -> dict[str, str]:
    """An index for people; what is not there is left out."""
    from quipu import to_datetime

    shown = {
        "state": document(found)["state"],
        "memories": f"{found.memory_count:,}",
        "revision": f"{found.revision:,} of {found.head_revision:,}",
        "memory": size(found.bytes),
        "delta": f"{found.delta_rows:,} rows",
    }
    if found.HasField("snapshot"):
        written = show_time(to_datetime(found.snapshot.create_time))
        shown["snapshot"] = f"revision {found.snapshot.revision:,}, {size(found.snapshot.bytes)}, {written}"
    if found.HasField("recall_check"):
        check = found.recall_check
        shown["recall"] = f"{check.recall:.4f} of the {check.k} nearest to {check.sample_size} memories"
    return shown


def document(found: "IndexDescription") -> dict[str, Any]:
    """An index for JSON."""
    from quipu import to_datetime
    from quipu.v1.index_service_pb2 import IndexSegmentKind, IndexState

    segments = [
        {"kind": word(IndexSegmentKind.Name(s.kind), "INDEX_SEGMENT_KIND_"), "rows": s.rows, "bytes": s.bytes}
        for s in found.segments
    ]
    shown = {
        "space": found.space.removeprefix("spaces/"),
        "state": word(IndexState.Name(found.state), "INDEX_STATE_"),
        "memory_count": found.memory_count,
        "revision": found.revision,
        "head_revision": found.head_revision,
        "bytes": found.bytes,
        "delta_rows": found.delta_rows,
        "segments": segments,
    }
    if found.HasField("snapshot"):
        snapshot = found.snapshot
        time = write_time(to_datetime(snapshot.create_time))
        shown["snapshot"] = {"revision": snapshot.revision, "create_time": time, "bytes": snapshot.bytes}
    if found.HasField("recall_check"):
        check = found.recall_check
        shown["recall_check"] = {"sample_size": check.sample_size, "k": check.k, "recall": check.recall}
    return shown


def word(name: str, prefix: str) -> str:
    """The name of a value of an enum without its prefix, in small letters."""
    return name.removeprefix(prefix).lower()


def size(count: int) -> str:
    """Bytes as people read them."""
    amount, units = float(count), iter(("B", "KB", "MB", "GB"))
    unit = next(units)
    while amount >= 1_000 and (larger := next(units, None)):
        amount, unit = amount / 1_000, larger
    return f"{amount:.3g} {unit}" if unit != "B" else f"{count} B"
