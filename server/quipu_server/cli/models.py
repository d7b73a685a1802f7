"""`quipu models`."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from quipu_server.cli.connection import address_option, connected
from quipu_server.cli.display import show_fields, show_table
from quipu_server.errors import StartupError

if TYPE_CHECKING:
    from quipu_server.embedding import ModelDirectory

NEAR = ("The cat sleeps on the sofa.", "A cat is asleep on the couch.")
FAR = "Interest rates were raised on Tuesday."


@click.group()
def models() -> None:
    """List, check and fetch embedding models."""


@models.command("list")
@address_option
def list_models(address: str) -> None:
    """List the models of the server; new spaces get the first."""
    with connected(address) as client:
        found = client.models()
    show_table(
        (
            {
                "model": model.name.removeprefix("models/"),
                "dimension": f"{model.dimension}",
                "window": f"{model.max_tokens}",
                "pooling": model.pooling,
                "fingerprint": model.fingerprint,
            }
            for model in found
        ),
        numbers=["dimension", "window"],
    )


@models.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
def check(directory: Path) -> None:
    """Tell whether the model in DIRECTORY can be used, for `quipu serve --model-dir DIRECTORY`."""
    from quipu_server.embedding import read_directory

    found = read_directory(directory)
    check_meaning(found)
    shown = {name: str(value) for name, value in asdict(found.info).items() if name != "is_default"}
    show_fields({"directory": str(found.path), **shown})


@models.command()
@click.argument("name")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def pull(context: click.Context, /, name: str, directory: Path) -> None:
    """Fetch the model NAME (organisation/model) from the Hugging Face hub into DIRECTORY, and check it.

    It must have been exported to ONNX there.
    """
    from quipu_server.embedding.hub import pull as fetch

    place = directory / name.rpartition("/")[2]
    fetch(name, place)
    context.invoke(check, directory=place)


def check_meaning(directory: "ModelDirectory") -> None:
    """Raise StartupError for a model whose vectors do not tell near from far."""
    from quipu_server.domain import Purpose, TextToEmbed
    from quipu_server.embedding.onnx import OnnxModel

    model = OnnxModel(directory)
    first, near, far = (model.embed(TextToEmbed(text), Purpose.PASSAGE).vectors[0] for text in (*NEAR, FAR))
    if len(first) != directory.info.dimension:
        raise StartupError(f"its vectors have length {len(first)}, its config.json says {directory.info.dimension}")
    if not first @ near > first @ far:
        raise StartupError("its vectors do not tell meanings apart: are pooling and weights those of one model?")
