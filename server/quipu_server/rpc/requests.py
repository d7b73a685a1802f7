"""What requests have in common: who calls, idempotency, pages."""

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message

from quipu_server.domain import RequestKey
from quipu_server.errors import InvalidArgument
from quipu_server.rpc.fields import parse_request_id

DEFAULT_TENANT = "default"


def caller_tenant() -> str:
    """Whom a call belongs to."""
    return DEFAULT_TENANT


def request_key(request: Any) -> RequestKey | None:
    """The request id with a digest of everything else; None without an id."""
    if not request.request_id:
        return None
    request_id = parse_request_id(request.request_id)
    return RequestKey(request_id, digest(request, ("request_id",)))


def digest(request: Message, without: Sequence[str]) -> bytes:
    """A digest of a request that leaves some fields out."""
    rest = type(request)()
    rest.CopyFrom(request)
    for name in without:
        rest.ClearField(name)
    content = rest.SerializeToString(deterministic=True)
    return hashlib.sha256(type(request).__name__.encode() + b"\0" + content).digest()


def make_page_token(request: Message, state: object) -> str:
    """An opaque token for the page after `state` of this query."""
    query = digest(request, ("page_token", "page_size")).hex()[:16]
    return base64.urlsafe_b64encode(json.dumps([query, state], separators=(",", ":")).encode()).decode()


def read_page_token(request: Any) -> Any:
    """The state in the token of a request; None for the first page. Raises InvalidArgument for another query's."""
    if not request.page_token:
        return None
    try:
        query, state = json.loads(base64.urlsafe_b64decode(request.page_token.encode()))
    except ValueError:
        raise bad_page_token("is damaged") from None
    if query != digest(request, ("page_token", "page_size")).hex()[:16]:
        raise bad_page_token("belongs to another query; leave the other fields as they were")
    return state


def bad_page_token(message: str) -> InvalidArgument:
    return InvalidArgument("page_token", message, reason="INVALID_PAGE_TOKEN")
