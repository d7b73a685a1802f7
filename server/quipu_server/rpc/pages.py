"""Page tokens: where the page before ended, sealed to the request they continue and to the tenant that made it."""

import json
from base64 import b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import TypeAlias

from google.protobuf.message import Message

from quipu_server.access.domain import caller_or_nobody
from quipu_server.errors import InvalidArgument
from quipu_server.rpc.digest import digest

Place: TypeAlias = tuple[str | int | None, ...]

_SEAL_BYTES = 12


def write_token(request: Message, place: Place) -> str:
    """A token for the page that begins behind the place, for the same request with any page size."""
    content = json.dumps(place, separators=(",", ":")).encode()
    return urlsafe_b64encode(_seal(request, content) + content).decode().rstrip("=")


def read_token(request: Message, token: str) -> Place:
    """The place in a token; () when there is none. Raises InvalidArgument for a damaged token or another request's."""
    if not token:
        return ()
    try:
        sealed = b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise invalid_token() from None
    seal, content = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
    if seal != _seal(request, content):
        raise invalid_token()
    return tuple(json.loads(content))


def invalid_token() -> InvalidArgument:
    """The error for a token that does not continue the request."""
    message = "is damaged or belongs to another query; only page_size may change between pages"
    return InvalidArgument("page_token", message, reason="INVALID_PAGE_TOKEN")


def _seal(request: Message, content: bytes) -> bytes:
    """Binds a place to a request of a tenant. It has no key: any replica must read it, and what a forged one shows is
    checked as any request."""
    who = caller_or_nobody()
    tenant = "" if who is None else who.tenant
    return sha256(digest(request, "page_token", "page_size") + tenant.encode() + b"\0" + content).digest()[:_SEAL_BYTES]
