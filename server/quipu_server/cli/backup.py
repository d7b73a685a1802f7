"""`quipu backup`, `quipu restore`."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from quipu_server.cli.settings import SettingsCommand, settings_from

if TYPE_CHECKING:
    from quipu_server.config import Settings
    from quipu_server.store.archive import Manifest


@click.command(cls=SettingsCommand)
@click.argument("target", type=click.Path(path_type=Path))
def backup(target: Path, **given: Any) -> None:
    """Back up the database into TARGET: a new directory, or a file if it ends in .tar.

    A server may use the database meanwhile: the backup is as of the moment when it began.
    """
    from quipu_server.store.backup import back_up

    settings = settings_from(given)
    if not settings.database_url and not (settings.data_dir.expanduser() / "postgres").exists():
        raise click.ClickException(f"there is no database in {settings.data_dir}; name another --data-dir")
    click.echo(f"backed up to {target}: {described(on_database(settings, lambda conninfo: back_up(conninfo, target)))}")


@click.command(cls=SettingsCommand)
@click.argument("source", type=click.Path(exists=True, path_type=Path))
def restore(source: Path, **given: Any) -> None:
    """Restore the backup SOURCE into a new --data-dir, or an empty database at --database-url.

    What was restored is compared with what was backed up: rows and checksums of every table, revisions of every space.
    """
    from quipu_server.store.backup import restore as bring_back

    settings = settings_from(given)
    manifest = on_database(settings, lambda conninfo: bring_back(conninfo, source))
    click.echo(f"restored the backup of {manifest.time}: {described(manifest)}")


def on_database(settings: "Settings", work: "Callable[[str], Awaitable[Manifest]]") -> "Manifest":
    """Do something with the database of the settings."""
    import asyncio

    from quipu_server.store.backup import database_of

    async def run() -> "Manifest":
        async with database_of(settings.data_dir.expanduser().absolute(), settings.database_url) as conninfo:
            return await work(conninfo)

    return asyncio.run(run())


def described(manifest: "Manifest") -> str:
    """What a backup holds."""
    rows = sum(count for count, _ in manifest.tables.values())
    return (
        f"{len(manifest.revisions):,} spaces, {sum(manifest.revisions.values()):,} revisions, {rows:,} rows in "
        f"{len(manifest.tables)} tables, {manifest.dump_bytes:,} bytes, verified"
    )
