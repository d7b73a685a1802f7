"""`quipu pack`."""

from typing import Any

import click
from google.protobuf.json_format import MessageToDict

from quipu_server.cli.connection import address_option, connected, spaces_option
from quipu_server.cli.lines import dump
from quipu_server.cli.memories import json_option


@click.command()
@click.argument("text")
@click.option("--token-budget", "-b", required=True, type=click.IntRange(1), help="Most tokens of the text.")
@click.option("--session", help="Its newest messages end the text; an id in the first space, or a name.")
@click.option("--window-messages", default=0, type=click.IntRange(0), help="Most messages of the session.")
@click.option("--window-tokens", type=click.IntRange(0), help="Most tokens of the session; half of the budget.")
@click.option("--model", default="", help="The model that counts tokens; that of the space if not given.")
@spaces_option("Where to look; may be given up to 16 times.")
@click.option("-k", type=click.IntRange(1, 1_000), help="Most hits; 50 if not given.")
@click.option("--expand-context", type=click.IntRange(0, 20), help="Messages around each hit; 1 if not given.")
@click.option("--filter", help='Which ones may be found, such as \'session = "s1" AND NOT tags = "draft"\'.')
@click.option("--mode", type=click.Choice(["hybrid", "dense", "lexical"]), help="By meaning and words, or one of both.")
@json_option
@address_option
def pack(address: str, spaces: tuple[str, ...], text: str, as_json: bool, **query: Any) -> None:
    """Make a text for a prompt: what memories say about TEXT, within a budget of tokens."""
    with connected(address, spaces[0]) as client:
        made = client.pack(text, space=spaces, **query)
    if as_json:
        click.echo(dump(MessageToDict(made, preserving_proto_field_name=True)))
        return
    click.echo(made.text)
    left_out = f"; {len(made.left_out)} had no room" if made.left_out else ""
    click.echo(f"{len(made.citations)} memories, {made.token_count} tokens{left_out}", err=True)
