"""`quipu watch`."""

from typing import TYPE_CHECKING, Any

import click

from quipu_server.cli.connection import address_option, connected, spaces_option
from quipu_server.cli.display import one_line
from quipu_server.cli.lines import as_document, dump
from quipu_server.cli.memories import json_option

if TYPE_CHECKING:
    from quipu import Change


@click.command()
@spaces_option("What to watch; may be given up to 16 times.")
@click.option(
    "--after",
    metavar="REVISION|TOKEN",
    callback=lambda _context, _parameter, value: read_after(value),
    help="Begins after this revision, 0 for all, or where a watch was that printed this token as JSON; default: now.",
)
@click.option("--filter", help="Which memories, such as 'tags = \"tea\"'; told too is what met it before the change.")
@json_option
@address_option
def watch(address: str, spaces: tuple[str, ...], as_json: bool, **query: Any) -> None:
    """Print each change of memories as it happens, until Ctrl-C.

    When the server is restarted, the watch goes on where it was.
    """
    with connected(address, spaces[0]) as client:
        changes = client.watch(space=spaces, **query)
        try:
            for change in changes:
                click.echo(shown_as_json(change, changes.token) if as_json else shown(change))
        except KeyboardInterrupt:
            changes.close()


def read_after(value: str | None) -> int | str | None:
    """A revision, or else a token."""
    return int(value) if value is not None and value.isdecimal() else value


def shown(change: "Change") -> str:
    """A change on a line: its revision, what it was, and the memory."""
    name = change.memory.name.removeprefix("spaces/").replace("/memories/", "/")
    what = "left" if change.left else change.change
    return f"{change.revision:>7}  {what:<9}  {name}  {one_line(change.memory.content)}"


def shown_as_json(change: "Change", token: str) -> str:
    """A change for programs, and the token to go on after it."""
    return dump(
        {
            "space": change.space,
            "revision": change.revision,
            "change": change.change,
            "left": change.left,
            "memory": as_document(change.memory),
            "token": token,
        }
    )
