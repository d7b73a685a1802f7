"""`quipu sessions`."""

import sys
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from quipu_server.cli.connection import connected, space_option
from quipu_server.cli.display import show_entries, show_fields, show_table, show_time
from quipu_server.cli.fields import ROLES, key_value, local_time, read_content
from quipu_server.cli.lines import as_document, dump, from_line, write_time
from quipu_server.cli.memories import entry, json_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quipu import Memory, Session


TIMES = ("first_message_time", "last_message_time", "end_time")


@click.group()
def sessions() -> None:
    """List, show, extend, end and delete conversations."""


@sessions.command("ls")
@click.option("--order-by", type=click.Choice(["id", "activity"]), default="id", show_default=True, help="The order.")
@click.option("--state", type=click.Choice(["open", "ended"]), help="Only those that go on, or that were ended.")
@click.option("-n", "--limit", default=50, show_default=True, type=click.IntRange(0), help="How many; 0 for all.")
@json_option
@space_option
def list_sessions(address: str, space: str, limit: int, as_json: bool, **query: Any) -> None:
    """List the sessions of a space."""
    with connected(address, space) as client:
        found = list(islice(client.sessions(**query), limit or None))
    if as_json:
        for session in found:
            click.echo(dump(document(session)))
    else:
        show_table((row(session) for session in found), numbers=["messages", "tokens"])


@sessions.command("show")
@click.argument("session")
@json_option
@space_option
def show_session(address: str, space: str, session: str, as_json: bool) -> None:
    """Show SESSION with its statistics."""
    with connected(address, space) as client:
        print_session(client.get_session(session), as_json)


@sessions.command("messages")
@click.argument("session")
@click.option("--newest-first", is_flag=True, help="From the newest message to the oldest.")
@click.option("-n", "--limit", default=50, show_default=True, type=click.IntRange(0), help="How many; 0 for all.")
@json_option
@space_option
def list_messages(address: str, space: str, session: str, newest_first: bool, limit: int, as_json: bool) -> None:
    """List the messages of SESSION in their order."""
    with connected(address, space) as client:
        print_messages(islice(client.messages(session, newest_first=newest_first), limit or None), as_json)


@sessions.command("append")
@click.argument("session")
@click.argument("text", required=False)
@click.option("--role", type=click.Choice(ROLES), help="Who spoke.")
@click.option("--speaker", help="Name of the speaker.")
@click.option(
    "--event-time", type=local_time, metavar="TIME", help="When it was said; local time unless it has a zone."
)
@click.option("--lines", is_flag=True, help="Reads messages as JSON from standard input, one a line, instead of TEXT.")
@json_option
@space_option
def append_messages(
    address: str, space: str, session: str, text: str | None, lines: bool, as_json: bool, **fields: Any
) -> None:
    """Append TEXT to SESSION. Without TEXT, or with -, the text is read from standard input."""
    messages = [from_line(line) for line in sys.stdin.buffer] if lines else [{"content": read_content(text), **fields}]
    with connected(address, space) as client:
        stored = client.append(session, messages)  # type: ignore[arg-type]
    for memory in stored:
        document = as_document(memory)
        click.echo(dump(document) if as_json else document["id"])


@sessions.command("window")
@click.argument("session")
@click.option("--max-messages", default=0, type=click.IntRange(0), help="Most messages.")
@click.option("--max-tokens", default=0, type=click.IntRange(0), help="Most tokens, counted by the model of the space.")
@json_option
@space_option
def show_window(address: str, space: str, session: str, as_json: bool, **budget: Any) -> None:
    """Show the newest messages of SESSION that fit a budget."""
    with connected(address, space) as client:
        window = client.window(session, **budget)
    print_messages(window.messages, as_json)
    older = "; there are older ones" if window.has_older else ""
    click.echo(f"{len(window.messages)} messages, {window.token_count} tokens{older}", err=True)


@sessions.command("update")
@click.argument("session")
@click.option("--title", help="A name for people.")
@click.option("--summary", help="What it was about.")
@click.option("--meta", "metadata", type=key_value, metavar="KEY=VALUE", multiple=True, help="Metadata, all of it.")
@json_option
@space_option
def update_session(address: str, space: str, session: str, as_json: bool, **settings: Any) -> None:
    """Change what SESSION has beside its messages."""
    given = {key: value for key, value in settings.items() if value not in (None, ())}
    if "metadata" in given:
        given["metadata"] = dict(given["metadata"])
    with connected(address, space) as client:
        print_session(client.update_session(session, **given), as_json)


@sessions.command("end")
@click.argument("session")
@space_option
def end_session(address: str, space: str, session: str) -> None:
    """Let nothing more be appended to SESSION."""
    with connected(address, space) as client:
        client.end_session(session)


@sessions.command("rm")
@click.argument("session")
@space_option
def delete_session(address: str, space: str, session: str) -> None:
    """Delete SESSION with its messages. Each message can be brought back by `quipu undelete`."""
    with connected(address, space) as client:
        count = client.delete_session(session)
    click.echo(f"{count} messages were deleted", err=True)


def print_session(session: "Session", as_json: bool) -> None:
    shown = document(session)
    if as_json:
        click.echo(dump(shown))
    else:
        show_fields({key: value if isinstance(value, str) else dump(value) for key, value in shown.items() if value})


def print_messages(messages: "Iterable[Memory]", as_json: bool) -> None:
    from quipu import from_memory

    if as_json:
        for memory in messages:
            click.echo(dump(as_document(memory)))
    else:
        show_entries(entry(from_memory(memory)) for memory in messages)


def row(session: "Session") -> dict[str, str]:
    """A session in a table."""
    from quipu import to_datetime

    times = {field.name: show_time(to_datetime(value)) for field, value in session.ListFields() if field.name in TIMES}
    return {
        "session": session_id(session),
        "messages": f"{session.message_count:,}",
        "tokens": f"{session.token_count:,}",
        "first": times.get("first_message_time", ""),
        "last": times.get("last_message_time", ""),
        "ended": times.get("end_time", ""),
        "title": session.title,
    }


def document(session: "Session") -> dict[str, Any]:
    """A session for JSON."""
    from quipu import to_datetime
    from quipu.v1.memory_pb2 import Role
    from quipu.values import from_value
    from quipu_server.cli.lines import writable

    times = {field.name: write_time(to_datetime(value)) for field, value in session.ListFields() if field.name in TIMES}
    roles = {Role.Name(each.role).removeprefix("ROLE_").lower(): each.count for each in session.role_counts}
    return {
        "id": session_id(session),
        "title": session.title,
        "summary": session.summary,
        "metadata": {key: writable(from_value(value)) for key, value in sorted(session.metadata.items())},
        "message_count": session.message_count,
        "role_counts": roles,
        "token_count": session.token_count,
        **times,
        "etag": session.etag,
    }


def session_id(session: "Session") -> str:
    return session.name.rpartition("/")[2]
