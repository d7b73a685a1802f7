"""`quipu models`."""

import click


@click.group()
def models() -> None:
    """List, check and fetch embedding models."""
