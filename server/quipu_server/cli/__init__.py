"""The command line: `quipu`. Modules import heavy libraries where they use them, so that it starts at once."""

import sys
from collections.abc import Sequence

import click

from quipu_server import __version__
from quipu_server.cli.admin import admin
from quipu_server.cli.backup import backup, restore
from quipu_server.cli.completion import completion
from quipu_server.cli.config import config
from quipu_server.cli.doctor import doctor
from quipu_server.cli.exporting import export_memories
from quipu_server.cli.importing import import_memories
from quipu_server.cli.index import index
from quipu_server.cli.jobs import jobs
from quipu_server.cli.memories import delete, feedback, get, history, list_memories, put, undelete, update
from quipu_server.cli.models import models
from quipu_server.cli.pack import pack
from quipu_server.cli.policies import policies
from quipu_server.cli.retention import archive, erase, unarchive
from quipu_server.cli.search import search
from quipu_server.cli.serve import serve
from quipu_server.cli.sessions import sessions
from quipu_server.cli.spaces import spaces
from quipu_server.cli.top import top
from quipu_server.cli.watch import watch
from quipu_server.cli.worker import worker
from quipu_server.errors import StartupError

INTERRUPTED = 130
"""Exit code after Ctrl-C, by the custom of shells."""

COMMANDS = (
    serve,
    worker,
    put,
    search,
    get,
    list_memories,
    update,
    delete,
    undelete,
    archive,
    unarchive,
    erase,
    policies,
    feedback,
    history,
    watch,
    import_memories,
    export_memories,
    sessions,
    pack,
    spaces,
    models,
    index,
    backup,
    restore,
    config,
    top,
    admin,
    jobs,
    doctor,
    completion,
)


class Commands(click.Group):
    """Lists commands in the order a newcomer needs them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="quipu")
def quipu() -> None:
    """Keep memories and find them again.

    `quipu serve` starts the server; the other commands speak to it, or look after it.
    """


for command in COMMANDS:
    quipu.add_command(command)


def main() -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command; return the exit code: 0, 1 when it failed, 2 when it was used wrongly."""
    try:
        code = quipu.main(arguments, prog_name="quipu", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except (StartupError, OSError) as error:
        click.echo(f"Error: {error}", err=True)
        return 1
    return code if isinstance(code, int) else 0
