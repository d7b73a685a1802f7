"""What commands share that speak to a server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from quipu import SyncClient

F = TypeVar("F", bound=Callable[..., Any])


def address_option(command: F) -> F:
    """Add `--address`."""
    return click.option(
        "--address",
        envvar="QUIPU_ADDRESS",
        default="localhost:50051",
        show_default=True,
        show_envvar=True,
        help="Where the server is.",
    )(command)


def space_option(command: F) -> F:
    """Add `--address` and `--space`."""
    option = click.option(
        "-s",
        "--space",
        envvar="QUIPU_SPACE",
        default="default",
        show_default=True,
        show_envvar=True,
        help="The space of the memories.",
    )
    return option(address_option(command))


def spaces_option(help: str) -> Callable[[F], F]:
    """Add `--space`, which may be given several times, as `spaces`."""
    return click.option(
        "-s",
        "--space",
        "spaces",
        envvar="QUIPU_SPACE",
        default=("default",),
        show_default=True,
        show_envvar=True,
        multiple=True,
        help=help,
    )


@contextmanager
def connected(address: str, space: str = "default") -> Iterator["SyncClient"]:
    """A client; what goes wrong becomes one line."""
    import quipu

    with in_one_line(), quipu.connect_sync(address, space=space) as client:
        yield client


@contextmanager
def in_one_line() -> Iterator[None]:
    """Turn errors of the service, and values it cannot be given, into messages of the command line."""
    import quipu

    try:
        yield
    except quipu.Unavailable as error:
        hint = "" if error.reason else "; is it running? `quipu serve` starts it"
        raise click.ClickException(f"{error}{hint}") from error
    except (quipu.QuipuError, ValueError) as error:
        raise click.ClickException(str(error)) from error
