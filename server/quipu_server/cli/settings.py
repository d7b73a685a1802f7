"""The settings of the server as flags, made from the settings themselves."""

import os
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import click

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from quipu_server.config import Settings

METAVARS = {str(int): "INTEGER", str(float): "NUMBER"}


class SettingsCommand(click.Command):
    """A command with a flag for each setting, made when asked for: that takes longer than all else."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        return [*settings_options(), *super().get_params(ctx)]


@cache
def settings_options() -> Sequence[click.Option]:
    """A flag for each setting that is no table, and one for the file they may be in.

    Secrets have none: others see the command line.
    """
    from pydantic import SecretStr

    from quipu_server.config import Settings

    settings = (
        (name, field)
        for name, field in Settings.model_fields.items()
        if field.annotation is not SecretStr and get_origin(field.annotation) is not dict
    )
    file = click.Option(["--config"], type=click.Path(exists=True, dir_okay=False), help="TOML file with settings.")
    return [*(option(name, field) for name, field in settings), file]


def option(name: str, field: "FieldInfo") -> click.Option:
    """The flag of a setting. Its value is checked by the setting. A list is a flag that may be given several times."""
    is_list = get_origin(field.annotation) is list
    flag = f"--{name.removesuffix('s') if is_list else name}".replace("_", "-")
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else None
    return click.Option(
        [flag, name],
        type=click.Choice(choices) if choices else str,
        is_flag=field.annotation is bool,
        multiple=is_list,
        default=None,
        metavar=None if choices else METAVARS.get(str(field.annotation), "TEXT"),
        help=f"{field.description}{shown_default(field)}",
    )


def shown_default(field: "FieldInfo") -> str:
    """The default of a setting for its help, if it says more than: none."""
    if field.default_factory is not None or field.default in {"", False, None}:
        return ""
    return f"  [default: {field.default}]"


def flags_from(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The settings that were given as flags; the file goes where the settings look for it."""
    from quipu_server.config import CONFIG_VARIABLE

    flags = {name: value for name, value in given.items() if value is not None and value != ()}
    if file := flags.pop("config", None):
        os.environ[CONFIG_VARIABLE] = file
    return flags


def settings_from(given: Mapping[str, Any]) -> "Settings":
    """The settings after flags, environment, file and defaults are put together. Raises UsageError."""
    from quipu_server.config import BadSettings, load

    try:
        return load(flags_from(given))
    except BadSettings as error:
        raise click.UsageError("\n".join(error.problems)) from error
