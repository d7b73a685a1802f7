"""Who can reach the server, and with what: its credentials, and where it may listen without any."""

import ipaddress
from pathlib import Path

import structlog
from pydantic import SecretStr

from quipu_server.access.authentication import Credentials
from quipu_server.access.secrets import LEAST_MASTER_CHARACTERS, LEAST_SECRET_BYTES
from quipu_server.config import Settings
from quipu_server.errors import StartupError

log = structlog.get_logger("quipu")


def read_credentials(settings: Settings) -> Credentials | None:
    """The credentials of the settings; None when there are none, and the server may then run open.

    Raises StartupError when they are not good, or when there are none and others can reach the address.
    """
    pepper = _secret("key_secret", settings.key_secret, settings.key_secret_file)
    master_key = _secret("master_key", settings.master_key, settings.master_key_file)
    if not pepper and not master_key:
        _check_exposure(settings)
        return None
    if settings.insecure_no_auth:
        raise StartupError("insecure_no_auth lets everybody in, and there are credentials: take one of them away")
    if len(pepper.encode()) < LEAST_SECRET_BYTES:
        raise StartupError(
            f"key_secret must have {LEAST_SECRET_BYTES} bytes or more; set QUIPU_KEY_SECRET or QUIPU_KEY_SECRET_FILE,"
            " as with `openssl rand -hex 32`, to the same on every replica"
        )
    if master_key and len(master_key) < LEAST_MASTER_CHARACTERS:
        raise StartupError(f"master_key must have {LEAST_MASTER_CHARACTERS} characters or more")
    return Credentials(pepper.encode(), master_key)


def _check_exposure(settings: Settings) -> None:
    """Raise StartupError for an address that others can reach, unless the operator said so."""
    if settings.insecure_no_auth:
        log.warning("NO ACCESS CONTROL: whoever reaches the port may do everything", host=settings.host)
    elif not _is_loopback(settings.host):
        raise StartupError(
            f"{settings.host} can be reached from other machines, and there are no credentials; set QUIPU_KEY_SECRET"
            " and QUIPU_MASTER_KEY, or listen on 127.0.0.1, or give --insecure-no-auth if something guards the port"
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _secret(name: str, value: SecretStr, file: Path | None) -> str:
    """A secret from its setting or its file, without the end of a line. Raises StartupError."""
    text = value.get_secret_value()
    if file is None:
        return text
    if text:
        raise StartupError(f"{name} and {name}_file are both given: take one of them away")
    try:
        text = file.expanduser().read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"{name}_file: {file} cannot be read: {error}") from error
    if not text:
        raise StartupError(f"{name}_file: {file} is empty")
    return text
