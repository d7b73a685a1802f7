"""`quipu retention`: policies, and runs of them."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from quipu_server.cli.connection import connected, space_option
from quipu_server.cli.display import show_table
from quipu_server.cli.durations import duration, write_duration
from quipu_server.cli.fields import KINDS
from quipu_server.cli.lines import dump
from quipu_server.cli.memories import json_option

if TYPE_CHECKING:
    from quipu import RetentionPolicy, RunRetentionResponse

F = TypeVar("F", bound=Callable[..., Any])

CLEARABLE = (
    "older_than",
    "by_event_time",
    "importance_at_most",
    "session_idle_for",
    "kinds",
    "tags",
    "filter",
    "archived_for",
    "keep_at_most",
)
SETTINGS = (
    click.option("--action", type=click.Choice(["archive", "delete"]), help="What is done; a new one needs it."),
    click.option("--priority", type=int, help="Its place: smaller numbers are tried first."),
    click.option("--disable/--enable", "disabled", default=None, help="Whether it does nothing."),
    click.option("--older-than", type=duration, metavar="AGE", help="Of this age, as 30d or 12h."),
    click.option("--by-event-time/--by-create-time", default=None, help="Where the age begins, if there is both."),
    click.option("--importance-at-most", type=float, help="Of at most this importance, 0 to 1."),
    click.option("--session-idle-for", type=duration, metavar="AGE", help="Messages of sessions over for so long."),
    click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Of one of these kinds; repeatable."),
    click.option("--tag", "tags", multiple=True, help="With one of these tags; repeatable."),
    click.option("--filter", help="That meet a filter, such as 'speaker = \"Ann\"'."),
    click.option("--archived-for", type=duration, metavar="AGE", help="Archived for so long; with `delete` only."),
    click.option("--keep-at-most", type=int, metavar="N", help="All but N of them, the least important first."),
)


@click.group("retention")
def policies() -> None:
    """Keep policies that archive or delete memories, and apply them."""


def policies_option(command: F) -> F:
    """Add `--address`, `--space` and `--all-spaces`."""
    everywhere = click.option("--all-spaces", is_flag=True, help="All spaces of the tenant instead of one.")
    return space_option(everywhere(command))


@policies.command("ls")
@json_option
@policies_option
def list_policies(address: str, space: str, all_spaces: bool, as_json: bool) -> None:
    """List the policies of a space, and those for all spaces, in the order in which they are tried."""
    with connected(address, where(space, all_spaces)) as client:
        found = client.retention_policies().all()
    if as_json:
        for policy in found:
            click.echo(dump(document(policy)))
    else:
        show_table((row(policy) for policy in found), numbers=["priority"])


def settings_options(command: F) -> F:
    """Add an option for each setting."""
    for option in reversed(SETTINGS):
        command = option(command)
    return command


@policies.command("set")
@click.argument("policy")
@settings_options
@click.option("--clear", "cleared", multiple=True, type=click.Choice(CLEARABLE), help="Takes a condition away.")
@json_option
@policies_option
def set_policy(
    address: str, space: str, all_spaces: bool, policy: str, cleared: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Change POLICY, or create it. It concerns the memories that meet all of its conditions, of which it needs one."""
    from quipu import NotFound

    given = {name: value for name, value in options.items() if value is not None and value != ()}
    given |= dict.fromkeys(cleared)
    with connected(address, where(space, all_spaces)) as client:
        try:
            made = client.update_retention_policy(policy, **given)
        except NotFound:
            made = client.create_retention_policy(policy, **given)
    if as_json:
        click.echo(dump(document(made)))
    else:
        show_table([row(made)], numbers=["priority"])


@policies.command("rm")
@click.argument("named", metavar="POLICIES...", nargs=-1, required=True)
@policies_option
def delete_policies(address: str, space: str, all_spaces: bool, named: tuple[str, ...]) -> None:
    """Delete POLICIES; what they did stays done."""
    with connected(address, where(space, all_spaces)) as client:
        for policy in named:
            client.delete_retention_policy(policy)


@policies.command("run")
@click.option("--dry-run", is_flag=True, help="Only tells what would be done.")
@json_option
@policies_option
def run_policies(address: str, space: str, all_spaces: bool, dry_run: bool, as_json: bool) -> None:
    """Apply the policies now, and tell what was done. Interrupted, the job goes on: `quipu jobs cancel` ends it."""
    with connected(address, where(space, all_spaces)) as client:
        last = followed(client.run_retention(dry_run=dry_run))
    if as_json:
        click.echo(dump(run_document(last)))
    else:
        show_run(last)


def followed(messages: "Iterable[RunRetentionResponse]") -> "RunRetentionResponse":
    """Show how far a run has come, and give its last message."""
    from quipu_server.cli.progress import counting

    reader = iter(messages)
    last = next(reader)
    while not (last.progress.spaces_total or last.HasField("summary")):
        last = next(reader)
    with counting("spaces", last.progress.spaces_total) as advance:
        done = 0
        while True:
            advance(last.progress.spaces_done - done)
            done = last.progress.spaces_done
            if last.HasField("summary"):
                return last
            last = next(reader)


def show_run(last: "RunRetentionResponse") -> None:
    """What each policy did, and of a dry run which memories it would take."""
    counts = [
        {"policy": short(each.retention_policy), "archived": f"{each.archived:,}", "deleted": f"{each.deleted:,}"}
        for each in last.progress.counts
    ]
    show_table(counts, numbers=["archived", "deleted"])
    decisions = [
        {
            "memory": each.memory.removeprefix("spaces/"),
            "action": action(each.action),
            "by": short(each.retention_policy),
        }
        for each in last.summary.decisions
    ]
    show_table(decisions)
    total = last.summary
    examined = last.progress.memories_examined
    click.echo(f"{examined:,} memories examined, {total.archived:,} archived, {total.deleted:,} deleted", err=True)


def run_document(last: "RunRetentionResponse") -> dict[str, Any]:
    """A run for JSON."""
    progress, summary = last.progress, last.summary
    return {
        "job": progress.job.removeprefix("jobs/"),
        "spaces": progress.spaces_done,
        "examined": progress.memories_examined,
        "archived": summary.archived,
        "deleted": summary.deleted,
        "policies": [
            {"policy": short(each.retention_policy), "archived": each.archived, "deleted": each.deleted}
            for each in progress.counts
        ],
        "decisions": [
            {"memory": each.memory, "policy": short(each.retention_policy), "action": action(each.action)}
            for each in summary.decisions
        ],
    }


def document(policy: "RetentionPolicy") -> dict[str, Any]:
    """A policy for JSON, without what is not set."""
    from google.protobuf.duration_pb2 import Duration

    from quipu.v1.memory_pb2 import MemoryKind

    given: dict[str, Any] = {}
    for field, value in policy.ListFields():
        if isinstance(value, Duration):
            given[field.name] = write_duration(value.ToTimedelta())
        elif field.name in ("tags", "importance_at_most", "keep_at_most", "by_event_time", "filter"):
            given[field.name] = list(value) if field.name == "tags" else value
    kinds = [MemoryKind.Name(kind).removeprefix("MEMORY_KIND_").lower() for kind in policy.kinds]
    return {
        "policy": short(policy.name),
        "action": action(policy.action),
        "priority": policy.priority,
        "disabled": policy.disabled,
        **given,
        **({"kinds": kinds} if kinds else {}),
        "etag": policy.etag,
    }


def row(policy: "RetentionPolicy") -> dict[str, str]:
    """A policy in a table."""
    shown = document(policy)
    conditions = (f"{name.replace('_', ' ')} {words(shown[name])}" for name in CLEARABLE if name in shown)
    return {
        "priority": f"{policy.priority:,}",
        "policy": shown["policy"],
        "action": shown["action"],
        "conditions": ", ".join(conditions),
        "state": "disabled" if policy.disabled else "",
    }


def words(value: Any) -> str:
    return " or ".join(value) if isinstance(value, list) else "" if value is True else str(value)


def action(number: int) -> str:
    """The name of an action."""
    from quipu.v1.retention_policy_pb2 import RetentionAction

    return RetentionAction.Name(number).removeprefix("RETENTION_ACTION_").lower()  # type: ignore[arg-type]


def short(name: str) -> str:
    """`space/policy`, with `-` for all spaces."""
    return name.removeprefix("spaces/").replace("/retentionPolicies/", "/")


def where(space: str, all_spaces: bool) -> str:
    return "-" if all_spaces else space
