"""`quipu jobs`."""

from typing import TYPE_CHECKING, Any

import click

from quipu_server.cli.connection import address_option, connected
from quipu_server.cli.display import one_line, show_fields, show_table, show_time
from quipu_server.cli.lines import dump, write_time
from quipu_server.cli.memories import json_option

if TYPE_CHECKING:
    from quipu import Job

STATES = ("queued", "running", "succeeded", "failed", "cancelled")


@click.group()
def jobs() -> None:
    """Look at work in the background, start and cancel it."""


@jobs.command("ls")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only these; several may be given.")
@click.option("--kind", default="", help="Only jobs of this kind.")
@click.option("-s", "--space", help="Only jobs on this space.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Most jobs to show.")
@json_option
@address_option
def list_jobs(address: str, as_json: bool, limit: int, **query: Any) -> None:
    """List jobs, newest first."""
    with connected(address) as client:
        found = [job for job, _ in zip(client.jobs(**query, page_size=min(limit, 1_000)), range(limit), strict=False)]
    if as_json:
        for job in found:
            click.echo(dump(document(job)))
    else:
        show_table(row(job) for job in found)


@jobs.command("show")
@click.argument("job")
@json_option
@address_option
def show_job(address: str, job: str, as_json: bool) -> None:
    """Show JOB."""
    with connected(address) as client:
        shown = document(client.get_job(job))
    if as_json:
        click.echo(dump(shown))
    else:
        show_fields({key: value if isinstance(value, str) else dump(value) for key, value in shown.items()})


watch_option = click.option("--watch", is_flag=True, help="Prints each change until it has ended.")


@jobs.command("run")
@click.argument("kind")
@click.argument("space")
@watch_option
@address_option
def run_job(address: str, kind: str, space: str, watch: bool) -> None:
    """Start a job of KIND on SPACE, and print its id."""
    start(address, kind, space, watch=watch)


def start(address: str, kind: str, space: str, *, watch: bool, **arguments: str) -> None:
    """Start a job and print its id; on request print it until its end."""
    with connected(address) as client:
        job = client.run_job(kind, space, arguments=arguments)
    click.echo(job_id(job))
    if watch:
        follow(address, job.name, as_json=False)


@jobs.command("cancel")
@click.argument("job")
@address_option
def cancel_job(address: str, job: str) -> None:
    """Ask for the end of JOB; what it has done stays done."""
    with connected(address) as client:
        click.echo(line(client.cancel_job(job)))


@jobs.command("watch")
@click.argument("job")
@json_option
@address_option
def watch_job(address: str, job: str, as_json: bool) -> None:
    """Print JOB as it is, and after each change until it has ended. Fails if the job does."""
    follow(address, job, as_json=as_json)


def follow(address: str, name: str, *, as_json: bool) -> None:
    """Print a job until its end. Raises ClickException when it fails."""
    from quipu import job_state

    with connected(address) as client:
        for job in client.watch_job(name, timeout=float("inf")):
            click.echo(dump(document(job)) if as_json else line(job))
            if job_state(job) == "failed":
                raise click.ClickException(f"the job failed: {job.error}")


def line(job: "Job") -> str:
    """A job on a line."""
    from quipu import job_state

    waits = ", to be cancelled" if job.cancel_requested else ""
    error = f"  {one_line(job.error)}" if job.error else ""
    return f"{job_id(job)}  {job_state(job)}{waits}  {steps(job)}{error}"


def row(job: "Job") -> dict[str, str]:
    """A job in a table."""
    from quipu import job_state, to_datetime

    return {
        "job": job_id(job),
        "kind": job.kind,
        "space": job.space.removeprefix("spaces/"),
        "state": job_state(job),
        "steps": steps(job),
        "created": show_time(to_datetime(job.create_time)),
        "error": one_line(job.error),
    }


def steps(job: "Job") -> str:
    """How far it has come."""
    return f"{job.done_steps:,} of {job.total_steps:,}" if job.total_steps else ""


def document(job: "Job") -> dict[str, Any]:
    """A job for JSON."""
    from google.protobuf.json_format import MessageToDict

    from quipu import job_state, to_datetime

    times = {name.name: value for name, value in job.ListFields() if name.name.endswith("_time")}
    return {
        "id": job_id(job),
        "kind": job.kind,
        "space": job.space.removeprefix("spaces/"),
        "state": job_state(job),
        "done_steps": job.done_steps,
        "total_steps": job.total_steps,
        "attempts": job.attempts,
        "error": job.error,
        "result": MessageToDict(job.result),
        "cancel_requested": job.cancel_requested,
        **{name: write_time(to_datetime(time)) for name, time in times.items()},
    }


def job_id(job: "Job") -> str:
    return job.name.removeprefix("jobs/")
