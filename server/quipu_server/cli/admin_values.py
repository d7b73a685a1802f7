"""What `quipu admin` reads and prints."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from quipu_server.cli.display import show_table, show_time
from quipu_server.cli.lines import dump

if TYPE_CHECKING:
    from quipu import ApiKey, AuditEntry, GuardSettings, NewSecret, Tenant

GUARDS = click.Choice(["off", "block_secrets", "redact_personal", "both"])
UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def limit(text: str) -> tuple[int, int]:
    """A limit, `1000,60`: so many in so many seconds."""
    try:
        count, seconds = map(int, text.split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no limit; 1000,60 allows 1,000 in 60 seconds") from None
    return count, seconds


def guard_settings(guard: str | None, region: str | None) -> "GuardSettings | None":
    """What the options say of the guard of a tenant; None when they say nothing."""
    if guard is None:
        if region is not None:
            raise click.UsageError("--guard-region needs --guard, as both are replaced together; it may be --guard off")
        return None
    return {
        "block_secrets": guard in ("block_secrets", "both"),
        "redact_personal": guard in ("redact_personal", "both"),
        "region": region or "",
    }


def span(text: str) -> timedelta:
    """A span of time, `90s`, `15m`, `12h` or `7d`."""
    if not text[:-1].isdecimal() or text[-1:] not in UNITS_S:
        raise click.BadParameter(f"{text!r} is no span of time; it is like 90s, 15m, 12h or 7d")
    return timedelta(seconds=int(text[:-1]) * UNITS_S[text[-1]])


def show(found: Iterable[Any], as_json: bool, row: Callable[[Any], dict[str, str]]) -> None:
    """Print messages as a table, or one JSON object a line."""
    from google.protobuf.json_format import MessageToDict

    if not as_json:
        show_table((row(message) for message in found), numbers=[])
        return
    for message in found:
        click.echo(dump(MessageToDict(message, preserving_proto_field_name=True)))


def show_secret(made: "NewSecret") -> None:
    """Print the secret alone, so that it can be put into a variable, and the name of its key beside it."""
    click.echo(made.key.name, err=True)
    click.echo(made.secret)


def tenant_row(tenant: "Tenant") -> dict[str, str]:
    """A tenant in a table."""
    from quipu import to_datetime

    return {
        "tenant": tenant.name.removeprefix("tenants/"),
        "created": show_time(to_datetime(tenant.create_time)),
        "limits": limits_text(tenant),
        "guard": guard_text(tenant),
        "name": tenant.display_name,
    }


def key_row(key: "ApiKey") -> dict[str, str]:
    """A key in a table."""
    from quipu import to_datetime

    ends = {"revoked": key.revoke_time, "expires": key.expire_time}
    state = next((f"{word} {show_time(to_datetime(t))}" for word, t in ends.items() if t.seconds), "good")
    return {
        "key": key.name,
        "role": "" if not key.role else ["read", "write", "admin"][key.role - 1],
        "state": state,
        "spaces": ", ".join(f"{prefix}*" for prefix in key.space_prefixes) or "all",
        "limits": limits_text(key),
        "name": key.display_name,
    }


def audit_row(entry: "AuditEntry") -> dict[str, str]:
    """An audit entry in a table."""
    from quipu import to_datetime

    return {
        "time": show_time(to_datetime(entry.create_time)),
        "actor": entry.actor,
        "method": entry.method,
        "resource": entry.resource,
        "details": ", ".join(f"{key}={value}" for key, value in sorted(entry.details.items())),
    }


def limits_text(holder: "Tenant | ApiKey") -> str:
    """The limits as the options write them."""
    limits = holder.limits.ListFields()
    return " ".join(f"{field.name}={limit.count},{limit.window.seconds}" for field, limit in limits)


def guard_text(tenant: "Tenant") -> str:
    """What the guard does for a tenant beside what it does for all."""
    given = tenant.guard_policy.ListFields()
    return " ".join(field.name if value is True else f"{field.name}={value}" for field, value in given)
