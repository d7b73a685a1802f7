"""`quipu spaces`."""

from typing import TYPE_CHECKING, Any

import click

from quipu_server.cli.connection import address_option, connected
from quipu_server.cli.display import show_fields, show_table, show_time
from quipu_server.cli.jobs import start, watch_option
from quipu_server.cli.lines import dump, write_time
from quipu_server.cli.memories import json_option

if TYPE_CHECKING:
    from quipu import Space


@click.group()
def spaces() -> None:
    """List, show, create and delete spaces; change their embedding models."""


@spaces.command("list")
@json_option
@address_option
def list_spaces(address: str, as_json: bool) -> None:
    """List the spaces."""
    with connected(address) as client:
        found = client.spaces().all()
    if as_json:
        for space in found:
            click.echo(dump(document(space)))
    else:
        show_table((row(space) for space in found), numbers=["memories", "revision"])


@spaces.command("show")
@click.argument("space")
@json_option
@address_option
def show_space(address: str, space: str, as_json: bool) -> None:
    """Show SPACE with its settings."""
    with connected(address) as client:
        shown = document(client.get_space(space))
    if as_json:
        click.echo(dump(shown))
    else:
        show_fields({key: value if isinstance(value, str) else dump(value) for key, value in shown.items()})


@spaces.command("create")
@click.argument("space")
@click.option("--display-name", help="A name for people.")
@click.option("--model", default="", help="Embedding model; the default one of the server if not given.")
@click.option("--language", default="", help="Language of the texts, for good: en (default), de, …; und for none.")
@address_option
def create_space(address: str, space: str, **settings: Any) -> None:
    """Create SPACE, which is only needed for settings: a space appears by itself on its first write."""
    with connected(address) as client:
        client.create_space(space, **settings)


@spaces.command("change-model")
@click.argument("space")
@click.argument("model")
@watch_option
@address_option
def change_model(address: str, space: str, model: str, watch: bool) -> None:
    """Give SPACE the embedding MODEL by a job, and print the job's id. Searches use the old model until it is done."""
    start(address, "change-model", space, watch=watch, model=model)


@spaces.command("revert-model")
@click.argument("space")
@watch_option
@address_option
def revert_model(address: str, space: str, watch: bool) -> None:
    """Give SPACE the model it had before by a job, and print the job's id. Only what is newer is embedded."""
    start(address, "revert-model", space, watch=watch)


@spaces.command("drop-old-vectors")
@click.argument("space")
@watch_option
@address_option
def drop_old_vectors(address: str, space: str, watch: bool) -> None:
    """Remove the vectors of all models that SPACE has not by a job, and print its id. Then there is no way back."""
    start(address, "drop-old-vectors", space, watch=watch)


@spaces.command("delete")
@click.argument("space")
@click.option("--force", is_flag=True, help="Also when it has memories.")
@click.option("--yes", is_flag=True, help="Does not ask.")
@address_option
def delete_space(address: str, space: str, force: bool, yes: bool) -> None:
    """Destroy SPACE with its memories and their history. It cannot be undone."""
    if not yes:
        click.confirm(f"Destroy the space {space} for good?", abort=True, err=True)
    with connected(address) as client:
        count = client.delete_space(space, force=force)
    click.echo(f"{count} memories went with it", err=True)


def row(space: "Space") -> dict[str, str]:
    """A space in a table."""
    from quipu import to_datetime

    return {
        "space": space_id(space),
        "memories": f"{space.memory_count:,}",
        "revision": f"{space.revision:,}",
        "model": space.model.removeprefix("models/"),
        "created": show_time(to_datetime(space.create_time)),
        "name": space.display_name,
    }


def document(space: "Space") -> dict[str, Any]:
    """A space for JSON."""
    from quipu import to_datetime

    return {
        "id": space_id(space),
        "display_name": space.display_name,
        "model": space.model,
        "previous_model": space.previous_model,
        "language": space.language,
        "ranking": weights(space),
        "memory_count": space.memory_count,
        "revision": space.revision,
        "create_time": write_time(to_datetime(space.create_time)),
        "update_time": write_time(to_datetime(space.update_time)),
        "etag": space.etag,
    }


def weights(space: "Space") -> dict[str, float | str]:
    """The weights that are set, and the formula by its name."""
    from quipu.v1.ranking_pb2 import RankingFormula

    given = {field.name: value for field, value in space.ranking.ListFields()}
    if formula := given.pop("formula", None):
        given["formula"] = RankingFormula.Name(formula).removeprefix("RANKING_FORMULA_").lower()
    if half_life := given.pop("recency_half_life", None):
        given["recency_half_life_s"] = half_life.ToTimedelta().total_seconds()
    return given


def space_id(space: "Space") -> str:
    return space.name.removeprefix("spaces/")
