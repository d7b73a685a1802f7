"""`quipu doctor`."""

from typing import Any

import click

from quipu_server.cli.settings import SettingsCommand, settings_from


@click.command(cls=SettingsCommand)
@click.option("--health", is_flag=True, help="Only asks whether the server is ready to serve.")
def doctor(health: bool, **given: Any) -> int:
    """Check what the server needs, with the settings of `quipu serve`, and say how to mend what is wrong."""
    from quipu_server.cli.checks import CHECKS, Trouble, is_answered

    settings = settings_from(given)
    if health:
        return 0 if is_answered(settings) else 1
    troubles = 0
    for check in CHECKS:
        name = check.__name__.removeprefix("check_").replace("_", " ")
        try:
            click.echo(f"ok    {name}: {check(settings)}")
        except Trouble as trouble:
            troubles += 1
            click.echo(f"FAIL  {name}: {trouble}\n      {trouble.mend}")
    return 1 if troubles else 0
