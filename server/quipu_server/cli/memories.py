"""Commands for single memories: `put`, `get`, `ls`, `update`, `rm`, `undelete`, `feedback`, `history`."""

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from quipu_server.cli.connection import connected, space_option
from quipu_server.cli.display import Entry, clip, show_entries, show_fields, show_table, show_time
from quipu_server.cli.fields import field_options, given_fields, read_content
from quipu_server.cli.lines import as_document, dump, read_time

if TYPE_CHECKING:
    from quipu import Memory
    from quipu.fields import VerdictName

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
CLEARABLE = ("role", "speaker", "session", "tags", "metadata", "event_time", "expire_time")


@click.command()
@click.argument("text", required=False)
@click.option("--id", "memory_id", help="Id of the memory; the server makes one that sorts by time.")
@field_options
@json_option
@space_option
def put(address: str, space: str, text: str | None, memory_id: str | None, as_json: bool, **options: Any) -> None:
    """Store TEXT and print the id of the memory. Without TEXT, or with -, the text is read from standard input."""
    content = read_content(text)
    with connected(address, space) as client:
        memory = client.add(content, id=memory_id, **given_fields(options))
    document = as_document(memory)
    if not as_json:
        show_redactions(document)
    click.echo(dump(document) if as_json else document["id"])


revision_option = click.option(
    "--revision", metavar="N", type=click.IntRange(1), help="As it was at this revision of the space."
)


@click.command()
@click.argument("memory")
@revision_option
@json_option
@space_option
def get(address: str, space: str, memory: str, revision: int | None, as_json: bool) -> None:
    """Show MEMORY, an id or a full name."""
    with connected(address, space) as client:
        show_memory(client.get(memory, revision=revision), as_json)


@click.command("ls")
@click.option("--filter", help='Which ones, such as \'kind = "semantic" AND tags = "tea"\'.')
@click.option(
    "--order-by",
    type=click.Choice(["create_time", "update_time", "event_time"]),
    default="create_time",
    show_default=True,
    help="The time that orders them.",
)
@click.option("--desc", "descending", is_flag=True, help="Latest first.")
@click.option("--deleted", "show_deleted", is_flag=True, help="Deleted ones too.")
@click.option("--archived", "show_archived", is_flag=True, help="Archived ones too.")
@revision_option
@click.option("-n", "--limit", default=50, show_default=True, type=click.IntRange(0), help="How many; 0 for all.")
@json_option
@space_option
def list_memories(address: str, space: str, limit: int, as_json: bool, **query: Any) -> None:
    """List the memories of a space."""
    from quipu import from_memory

    with connected(address, space) as client:
        memories = islice(client.list(**query), limit or None)
        if as_json:
            for memory in memories:
                click.echo(dump(as_document(memory)))
        else:
            show_entries(entry(from_memory(memory)) for memory in memories)


@click.command()
@click.argument("memory")
@click.argument("text", required=False)
@field_options
@click.option(
    "--clear", multiple=True, type=click.Choice(CLEARABLE), help="Empties a field; may be given several times."
)
@click.option("--unset", multiple=True, metavar="KEY", help="Removes a key of metadata; repeatable.")
@click.option("--etag", default="", help="Fails if the memory has another etag by now.")
@json_option
@space_option
def update(
    address: str,
    space: str,
    memory: str,
    text: str | None,
    clear: tuple[str, ...],
    unset: tuple[str, ...],
    etag: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Change MEMORY: the fields that are given, and its content if TEXT is given (- for standard input).

    Of the metadata only the given keys change.
    """
    changes: dict[str, Any] = dict.fromkeys(clear) | given_fields(options)
    if unset:
        changes["metadata"] = dict.fromkeys(unset) | (changes.get("metadata") or {})
    if text is not None:
        changes["content"] = read_content(text)
    if not changes:
        raise click.UsageError("nothing to change: give a text, a field, --clear or --unset")
    with connected(address, space) as client:
        merge = "metadata" not in clear
        show_memory(client.update(memory, etag=etag, merge_metadata=merge, **changes), as_json)


@click.command("rm")
@click.argument("memories", nargs=-1, required=True)
@click.option("--missing-ok", is_flag=True, help="Succeeds for a memory that does not exist.")
@space_option
def delete(address: str, space: str, memories: tuple[str, ...], missing_ok: bool) -> None:
    """Delete MEMORIES. Their history is kept; `quipu undelete` brings them back."""
    with connected(address, space) as client:
        for memory in memories:
            client.delete(memory, allow_missing=missing_ok)


@click.command()
@click.argument("memories", nargs=-1, required=True)
@space_option
def undelete(address: str, space: str, memories: tuple[str, ...]) -> None:
    """Bring deleted MEMORIES back."""
    with connected(address, space) as client:
        for memory in memories:
            client.undelete(memory)


@click.command()
@click.argument("memory")
@click.argument("verdict", type=click.Choice(["useful", "irrelevant", "outdated", "wrong"]))
@space_option
def feedback(address: str, space: str, memory: str, verdict: "VerdictName") -> None:
    """Say of MEMORY that it was useful, irrelevant, outdated or wrong. It moves in later searches."""
    with connected(address, space) as client:
        client.feedback(memory, verdict)


@click.command()
@click.argument("memory")
@json_option
@space_option
def history(address: str, space: str, memory: str, as_json: bool) -> None:
    """Show what was done to MEMORY, newest first."""
    from quipu.v1.memory_pb2 import MemoryChange

    with connected(address, space) as client:
        documents = [
            {
                "revision": entry.revision,
                "change": MemoryChange.Name(entry.change).removeprefix("MEMORY_CHANGE_").lower(),
                "memory": as_document(entry.memory),
            }
            for entry in client.history(memory)
        ]
    if as_json:
        for document in documents:
            click.echo(dump(document))
    else:
        show_table(map(change_row, documents), numbers=["revision"])


def change_row(document: Mapping[str, Any]) -> dict[str, str]:
    """An entry of a history in a table."""
    memory = document["memory"]
    when = memory.get("delete_time") or memory["update_time"]
    return {
        "revision": f"{document['revision']}",
        "change": document["change"],
        "when": show_time(read_time(when)),
        "memory": clip(memory.get("content", "")),
    }


def show_redactions(document: Mapping[str, Any]) -> None:
    """Say what the server left out: beside the answer, which may be piped on."""
    for each in document.get("redactions", ()):
        place = f"{each['field']}, characters {each['start']} to {each['end']}"
        click.echo(f"Redacted: {each['kind']} in {place}", err=True)


def show_memory(memory: "Memory", as_json: bool) -> None:
    document = as_document(memory)
    if as_json:
        click.echo(dump(document))
    else:
        show_fields({key: value if isinstance(value, str) else dump(value) for key, value in document.items()})


def entry(memory: Mapping[str, Any]) -> Entry:
    """A memory, as plain values, in a list."""
    return Entry(when(memory), memory["content"], [origin(memory)])


def when(memory: Mapping[str, Any]) -> str:
    """When it happened, or else was stored."""
    return show_time(memory.get("event_time") or memory.get("create_time"))


def origin(memory: Mapping[str, Any]) -> list[str]:
    """Whose memory it is, where it belongs, and its id."""
    deleted = f"deleted {show_time(memory['delete_time'])}" if "delete_time" in memory else ""
    tags = [f"#{tag}" for tag in memory.get("tags", ())]
    archived = f"archived {show_time(memory['archive_time'])}" if "archive_time" in memory else ""
    return [memory.get("speaker", ""), memory.get("session", ""), *tags, deleted, archived, memory["id"]]
