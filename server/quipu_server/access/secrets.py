"""Secrets of keys: `quipu_{id}_{secret}`, of which only a keyed digest is kept."""

import hmac
import re
import secrets
from hashlib import sha256

LEAST_MASTER_CHARACTERS = 16
LEAST_SECRET_BYTES = 16
ID_BYTES = 12
SECRET_BYTES = 24
"""192 bits: beyond guessing, so that a fast digest is enough."""

_FORM = re.compile(rf"quipu_([0-9a-f]{{{2 * ID_BYTES}}})_([0-9a-f]{{{2 * SECRET_BYTES}}})")


def new_id() -> str:
    """An id that no other key has: 96 bits at random."""
    return secrets.token_hex(ID_BYTES)


def new_secret() -> str:
    """The part of a credential that is secret."""
    return secrets.token_hex(SECRET_BYTES)


def write_credential(key_id: str, secret: str) -> str:
    """What a caller sends."""
    return f"quipu_{key_id}_{secret}"


def read_credential(text: str) -> tuple[str, str] | None:
    """The id and the secret; None for what is no credential."""
    found = _FORM.fullmatch(text)
    return None if found is None else (found[1], found[2])


def digest_secret(pepper: bytes, key_id: str, secret: str) -> bytes:
    """What is stored: HMAC-SHA256 under a secret of the server, bound to the key."""
    return hmac.new(pepper, f"{key_id}\0{secret}".encode(), sha256).digest()


def is_same(left: bytes, right: bytes) -> bool:
    """Compare in a time that does not tell where they differ."""
    return hmac.compare_digest(left, right)
