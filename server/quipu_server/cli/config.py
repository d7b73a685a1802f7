"""`quipu config`."""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import click

from quipu_server.cli.settings import SettingsCommand, flags_from, settings_from


@click.group()
def config() -> None:
    """Check the settings of the server, and show them."""


@config.command(cls=SettingsCommand)
def check(**given: Any) -> int:
    """Say whether the server could use these settings, and what is wrong with them.

    Secrets that settings refer to must be there. Exits with 0, 1 for a variable that is probably misspelt, 2 for wrong
    settings.
    """
    from quipu_server.config.loading import misspelt_variables
    from quipu_server.config.settings import CONFIG_VARIABLE

    settings = settings_from(given)
    misspelt = list(misspelt_variables())
    for variable, meant in misspelt:
        click.echo(f"{variable} is no setting; {meant} is", err=True)
    if misspelt:
        return 1
    file = os.environ.get(CONFIG_VARIABLE)
    click.echo(f"ok: {len(settings.model_fields_set)} settings are given{f', file {file}' if file else ''}")
    return 0


@config.command(cls=SettingsCommand)
def show(**given: Any) -> None:
    """Print all settings as a file, with where each was given; secrets are masked."""
    from quipu_server.config.loading import origin

    settings, flags = settings_from(given), flags_from(given)
    tables = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, dict):
            tables[name] = {key: item.model_dump() for key, item in value.items()}
        else:
            click.echo(line(name, value, origin([name], flags)))
    for name, items in tables.items():
        for key, item in items.items():
            click.echo(f"\n[{name}.{key}]{comment(origin([name, key], flags))}")
            for field, value in item.items():
                click.echo(line(field, value, ""))


def line(name: str, value: Any, where: str) -> str:
    """A setting as in the file; one that has no value is a comment."""
    return f"# {name} is not set" if value is None else f"{name} = {literal(name, value)}{comment(where)}"


def comment(where: str) -> str:
    return f"  # {where}" if where else ""


def literal(name: str, value: Any) -> str:
    """A value in TOML, masked."""
    from quipu_server.config.secrets import masked

    if isinstance(value, Mapping):
        return "{" + ", ".join(pairs(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(literal(name, item) for item in value) + "]"
    shown = masked(name, value)
    return json.dumps(shown if isinstance(shown, bool | int | float) else str(shown), ensure_ascii=False)


def pairs(table: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"{name} = {literal(name, value)}" for name, value in table.items() if value is not None)
