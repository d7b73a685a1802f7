"""`quipu admin`."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from quipu_server.cli.admin_values import (
    GUARDS,
    audit_row,
    guard_settings,
    key_row,
    limit,
    show,
    show_secret,
    span,
    tenant_row,
)
from quipu_server.cli.connection import address_option, connected
from quipu_server.cli.fields import local_time
from quipu_server.cli.memories import json_option

if TYPE_CHECKING:
    from quipu import SyncClient

F = TypeVar("F", bound=Callable[..., Any])
ROLES = click.Choice(["read", "write", "admin"])


def limit_options(command: F) -> F:
    """Add an option for each limit."""
    for name in ("memories", "tokens", "requests"):
        option = click.option(f"--{name}", type=limit, metavar="COUNT,SECONDS", help=f"Most {name}, as 1000,60.")
        command = option(command)
    return command


def guard_options(command: F) -> F:
    """Add `--guard` and `--guard-region`."""
    region = click.option("--guard-region", metavar="COUNTRY", help="Country of phone numbers that bring none, as DE.")
    return click.option("--guard", type=GUARDS, help="What is done at writes beside what the server does for all.")(
        region(command)
    )


def tenant_option(command: F) -> F:
    """Add `--tenant`."""
    return click.option("-t", "--tenant", default="default", show_default=True, help="Whose keys.")(command)


@click.group()
def admin() -> None:
    """Administer tenants and keys.

    The credential is taken from QUIPU_MASTER_KEY, else from QUIPU_API_KEY: a key with the role admin administers its
    own tenant.
    """


@admin.group()
def tenants() -> None:
    """List, create, change and delete tenants."""


@admin.group()
def keys() -> None:
    """List, create, change, rotate and revoke keys."""


@tenants.command("list")
@json_option
@address_option
def list_tenants(address: str, as_json: bool) -> None:
    """List the tenants."""
    with administering(address) as client:
        show(client.tenants().all(), as_json, tenant_row)


@tenants.command("create")
@click.argument("tenant")
@click.option("--display-name", help="A name for people.")
@guard_options
@limit_options
@address_option
def create_tenant(
    address: str, tenant: str, display_name: str | None, guard: str | None, guard_region: str | None, **limits: Any
) -> None:
    """Create TENANT."""
    policy = guard_settings(guard, guard_region)
    with administering(address) as client:
        client.create_tenant(tenant, display_name=display_name, limits=given(limits), guard_policy=policy)


@tenants.command("update")
@click.argument("tenant")
@click.option("--display-name", help="A name for people.")
@guard_options
@limit_options
@address_option
def update_tenant(
    address: str, tenant: str, display_name: str | None, guard: str | None, guard_region: str | None, **limits: Any
) -> None:
    """Change TENANT. Limits that are given replace all that it has; so do --guard and --guard-region together."""
    policy = guard_settings(guard, guard_region)
    changes = given({"display_name": display_name, "limits": given(limits) or None, "guard_policy": policy})
    with administering(address) as client:
        client.update_tenant(tenant, **changes)


@tenants.command("delete")
@click.argument("tenant")
@click.option("--force", is_flag=True, help="Also when it has spaces.")
@click.option("--yes", is_flag=True, help="Does not ask.")
@address_option
def delete_tenant(address: str, tenant: str, force: bool, yes: bool) -> None:
    """Destroy TENANT with its keys, and with --force its spaces. It cannot be undone."""
    if not yes:
        click.confirm(f"Destroy the tenant {tenant} for good?", abort=True, err=True)
    with administering(address) as client:
        count = client.delete_tenant(tenant, force=force)
    click.echo(f"{count} spaces went with it", err=True)


@keys.command("list")
@tenant_option
@json_option
@address_option
def list_keys(address: str, tenant: str, as_json: bool) -> None:
    """List the keys of a tenant, revoked ones included."""
    with administering(address) as client:
        show(client.api_keys(tenant).all(), as_json, key_row)


@keys.command("create")
@tenant_option
@click.option("--role", type=ROLES, default="write", show_default=True, help="What the key allows.")
@click.option("--display-name", help="A name for people.")
@click.option("--prefix", "space_prefixes", multiple=True, help="Good for spaces only whose ids begin so.")
@click.option("--expire-time", type=local_time, help="Refused from then on.")
@limit_options
@address_option
def create_key(
    address: str,
    tenant: str,
    role: Any,
    display_name: str | None,
    space_prefixes: tuple[str, ...],
    expire_time: datetime | None,
    **limits: Any,
) -> None:
    """Create a key and print its secret, which cannot be had again."""
    with administering(address) as client:
        made = client.create_api_key(
            tenant,
            role,
            display_name=display_name,
            space_prefixes=list(space_prefixes),
            expire_time=expire_time,
            limits=given(limits),
        )
    show_secret(made)


@keys.command("expire")
@click.argument("key")
@click.argument("time", type=local_time)
@address_option
def expire_key(address: str, key: str, time: datetime) -> None:
    """Let KEY be refused from TIME on."""
    with administering(address) as client:
        client.update_api_key(key, expire_time=time)


@keys.command("rotate")
@click.argument("key")
@click.option("--grace", type=span, default="0s", show_default=True, help="How long the old secret is good.")
@address_option
def rotate_key(address: str, key: str, grace: timedelta) -> None:
    """Give KEY a new secret and print it; it cannot be had again."""
    with administering(address) as client:
        made = client.rotate_api_key(key, grace=grace)
    show_secret(made)


@keys.command("revoke")
@click.argument("key")
@address_option
def revoke_key(address: str, key: str) -> None:
    """Make KEY useless for good."""
    with administering(address) as client:
        client.revoke_api_key(key)


@admin.command()
@click.option("-t", "--tenant", help="Whose; all if not given.")
@click.option("-n", "--limit", type=click.IntRange(1), default=50, show_default=True, help="Most entries to show.")
@json_option
@address_option
def audit(address: str, tenant: str | None, limit: int, as_json: bool) -> None:
    """Show what was administered, newest first."""
    with administering(address) as client:
        entries = [entry for entry, _ in zip(client.audit_entries(tenant), range(limit), strict=False)]
    show(entries, as_json, audit_row)


@contextmanager
def administering(address: str) -> Iterator["SyncClient"]:
    """A client with the credential of an administrator."""
    with connected(address, api_key=os.environ.get("QUIPU_MASTER_KEY")) as client:
        yield client


def given(options: Mapping[str, Any]) -> Any:
    """The options that are set."""
    return {name: value for name, value in options.items() if value is not None}
