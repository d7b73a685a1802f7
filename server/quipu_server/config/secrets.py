"""Secrets by reference, and how they are kept out of sight."""

import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, SecretStr

MASK = "********"
_HIDDEN_NAMES = re.compile(r"(^|_)(key|secret|password|token)$")
_PASSWORDS = (
    re.compile(r"(?P<before>://[^:/@\s]*:)[^@\s]*(?P<after>@)"),
    re.compile(r"(?P<before>\bpassword\s*=\s*)(?:'(?:[^'\\]|\\.)*'|[^\s&]+)(?P<after>)", re.IGNORECASE),
)


def resolve(value: Any) -> Any:
    """What `env:NAME` or `file:/path` stands for; any other value as it is. Raises ValueError."""
    if not isinstance(value, str):
        return value
    kind, _, place = value.partition(":")
    if kind == "env":
        if not (found := os.environ.get(place)):
            raise ValueError(f"the environment has no {place}")
        return found
    if kind == "file":
        try:
            return Path(place).expanduser().read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"cannot read {place}: {getattr(error, 'strerror', 'it is not UTF-8')}") from None
    return value


def resolve_reference(value: Any) -> Any:
    """As `resolve`, for what must not be written down in a file. Raises ValueError."""
    if isinstance(value, str) and not value.startswith(("env:", "file:")):
        raise ValueError("a secret is not written here: say env:NAME or file:/path")
    return resolve(value)


def masked(name: str, value: object) -> object:
    """A value to be shown: secrets, and passwords within others, are replaced."""
    if isinstance(value, SecretStr) or (isinstance(value, str) and value and _HIDDEN_NAMES.search(name)):
        return MASK
    if isinstance(value, str):
        for password in _PASSWORDS:
            value = password.sub(rf"\g<before>{MASK}\g<after>", value)
    return value


Resolved = Annotated[str, BeforeValidator(resolve)]
"""Text that may be given by reference."""

Secret = Annotated[SecretStr, BeforeValidator(resolve_reference)]
"""Text that must be given by reference."""
