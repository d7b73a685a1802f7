"""`quipu worker`."""

from typing import Any

import click

from quipu_server.cli.settings import SettingsCommand, settings_from


@click.command(cls=SettingsCommand)
def worker(**given: Any) -> None:
    """Do jobs in the background without serving, on the database of the servers.

    Settings are those of `quipu serve`; what concerns serving has no meaning here.
    """
    settings = settings_from(given)

    import uvloop

    from quipu_server.app import run_worker
    from quipu_server.logs import configure_logs

    configure_logs(settings.log_level, settings.log_format)
    uvloop.run(run_worker(settings))
