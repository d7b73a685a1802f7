"""The fields of a memory as options."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click

from quipu_server.cli.lines import to_plain

F = TypeVar("F", bound=Callable[..., Any])

KINDS = ("episodic", "semantic", "procedural", "profile", "working", "tool_result")
ROLES = ("user", "assistant", "system", "tool")


def local_time(text: str) -> datetime:
    """Read a time; without a time zone it is local."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a time such as 2024-05-08T13:56:00Z or 2024-05-08") from None


def key_value(text: str) -> tuple[str, Any]:
    """Read a key of metadata and its value: JSON if it is JSON, else text."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise click.BadParameter(f"{text!r} is not KEY=VALUE")
    try:
        return key, to_plain(json.loads(value))
    except ValueError:
        return key, value


OPTIONS = (
    click.option("--kind", type=click.Choice(KINDS), help="What sort of memory this is."),
    click.option("--role", type=click.Choice(ROLES), help="Who spoke."),
    click.option("--speaker", help="Name of the speaker or author."),
    click.option("--session", help="Id of the session it belongs to."),
    click.option("--tag", "tags", multiple=True, help="A label; repeatable."),
    click.option(
        "--meta",
        "metadata",
        type=key_value,
        metavar="KEY=VALUE",
        multiple=True,
        help="Metadata: text, or a number, boolean or list in JSON; repeatable.",
    ),
    click.option("--importance", type=float, help="How much it matters, 0 to 1."),
    click.option(
        "--event-time", type=local_time, metavar="TIME", help="When it happened; local time unless it has a zone."
    ),
    click.option("--expire-time", type=local_time, metavar="TIME", help="From when on it is no longer returned."),
)


def field_options(command: F) -> F:
    """Add an option for each field."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def given_fields(options: dict[str, Any]) -> dict[str, Any]:
    """The fields whose options were given."""
    given = {key: value for key, value in options.items() if value is not None and value != ()}
    if metadata := given.get("metadata"):
        given["metadata"] = dict(metadata)
    return given


def read_content(text: str | None) -> str:
    """The content given as an argument, or from standard input for `-` or none."""
    if text is not None and text != "-":
        return text
    with click.open_file("-", encoding="utf-8") as stdin:
        if text is None and stdin.isatty():
            raise click.UsageError("give the text, or - to read it from standard input")
        return str(stdin.read()).removesuffix("\n")
