"""Commands that take memories out of use, and destroy them: `archive`, `unarchive`, `erase`."""

from typing import TYPE_CHECKING

import click

from quipu_server.cli.connection import connected, space_option
from quipu_server.cli.display import show_table
from quipu_server.cli.lines import dump
from quipu_server.cli.memories import json_option

if TYPE_CHECKING:
    from quipu.v1.retention_service_pb2 import ErasureReceipt


@click.command()
@click.argument("memories", nargs=-1, required=True)
@space_option
def archive(address: str, space: str, memories: tuple[str, ...]) -> None:
    """Take MEMORIES out of use: no search finds them, but they can be read, and `quipu unarchive` brings them back."""
    with connected(address, space) as client:
        for memory in memories:
            client.archive(memory)


@click.command()
@click.argument("memories", nargs=-1, required=True)
@space_option
def unarchive(address: str, space: str, memories: tuple[str, ...]) -> None:
    """Bring archived MEMORIES back."""
    with connected(address, space) as client:
        for memory in memories:
            client.unarchive(memory)


@click.command()
@click.argument("memories", nargs=-1)
@click.option("--filter", help="Which ones, such as 'speaker = \"Ann\"'; with MEMORIES: those of them that meet it.")
@click.option("--sessions", is_flag=True, help="Empties title, summary and metadata of their sessions, too.")
@click.option("--dry-run", is_flag=True, help="Only counts what would be erased.")
@click.option("--yes", is_flag=True, help="Does not ask.")
@json_option
@space_option
def erase(
    address: str,
    space: str,
    memories: tuple[str, ...],
    filter: str | None,
    sessions: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Destroy MEMORIES for good, or those that meet a filter: their history, their vectors, all copies.

    It prints a receipt: what went, and what a look at every layer found of it afterwards.
    """
    with connected(address, space) as client:
        if not (dry_run or yes):
            planned = client.erase(memories, filter=filter, sessions=sessions, dry_run=True).erased
            click.confirm(f"Erase {planned.memories:,} memories for good?", abort=True, err=True)
        receipt = client.erase(memories, filter=filter, sessions=sessions, dry_run=dry_run)
    if as_json:
        click.echo(dump(as_plain(receipt)))
    else:
        show_receipt(receipt)


def as_plain(receipt: "ErasureReceipt") -> dict[str, object]:
    """A receipt as plain values."""
    plain: dict[str, object] = {"erased": counts(receipt, "erased"), "revision": receipt.revision}
    return plain | ({"left": counts(receipt, "left")} if receipt.HasField("left") else {})


def counts(receipt: "ErasureReceipt", which: str) -> dict[str, int]:
    """Rows by layer, also where there are none."""
    found = getattr(receipt, which)
    return {field.name: getattr(found, field.name) for field in found.DESCRIPTOR.fields}


def show_receipt(receipt: "ErasureReceipt") -> None:
    """A row for each layer."""
    left = counts(receipt, "left") if receipt.HasField("left") else {}
    rows = [
        {"what": layer, "erased": f"{count:,}", "left": f"{left[layer]:,}" if left else ""}
        for layer, count in counts(receipt, "erased").items()
    ]
    show_table(rows, numbers=["erased", "left"])
