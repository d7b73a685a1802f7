"""`quipu serve`."""

from typing import Any

import click

from quipu_server.cli.settings import SettingsCommand, settings_from


@click.command(cls=SettingsCommand)
def serve(**given: Any) -> None:
    """Start the server.

    A setting is taken from its flag, else from the environment (QUIPU_PORT for --port), else from the file of --config
    or QUIPU_CONFIG, a TOML file with the names of the settings, else it has its default.
    """
    settings = settings_from(given)

    import uvloop

    from quipu_server.app import run
    from quipu_server.logs import configure_logs

    configure_logs(settings.log_level, settings.log_format)
    uvloop.run(run(settings))
