"""What commands share that speak to a server."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from quipu import SyncClient, Tls

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
def connected(address: str, space: str = "default", api_key: str | None = None) -> Iterator["SyncClient"]:
    """A client with the credential and the certificates of the environment; what goes wrong becomes one line."""
    import quipu

    key = api_key or os.environ.get("QUIPU_API_KEY")
    with in_one_line(), quipu.connect_sync(address, api_key=key, space=space, tls=tls_from_environment()) as client:
        yield client


def tls_from_environment() -> "bool | Tls":
    """How to encrypt, from QUIPU_TLS (1 for the usual authorities), QUIPU_TLS_CA, QUIPU_TLS_CERT and QUIPU_TLS_KEY."""
    import quipu

    names = {"ca": "QUIPU_TLS_CA", "certificate": "QUIPU_TLS_CERT", "key": "QUIPU_TLS_KEY"}
    files = {argument: path for argument, name in names.items() if (path := os.environ.get(name))}
    return quipu.Tls(**files) if files else os.environ.get("QUIPU_TLS", "") not in {"", "0"}


@contextmanager
def in_one_line() -> Iterator[None]:
    """Turn errors of the service, and values it cannot be given, into messages of the command line."""
    import quipu

    try:
        yield
    except quipu.Unavailable as error:
        hint = "" if error.reason else "; is it running? `quipu serve` starts it"
        raise click.ClickException(f"{error}{hint}") from error
    except (quipu.QuipuError, ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error
