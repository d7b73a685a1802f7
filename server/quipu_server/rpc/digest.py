"""Digests that tell whether two requests are the same."""

from hashlib import sha256

from google.protobuf.message import Message

from quipu_server.domain import RequestKey
from quipu_server.rpc.validate import check_uuid


def request_key(request: Message, request_id: str) -> RequestKey | None:
    """What makes a mutation idempotent; None when it brings no id. Raises InvalidArgument unless the id is a UUID."""
    if not request_id:
        return None
    return RequestKey(check_uuid(request_id, "request_id"), digest(request, "request_id"))


def digest(request: Message, *left_out: str) -> bytes:
    """32 bytes that depend on the type of the request and on all its fields but those left out."""
    rest = type(request)()
    rest.CopyFrom(request)
    for field in left_out:
        rest.ClearField(field)
    content = rest.SerializeToString(deterministic=True)
    return sha256(request.DESCRIPTOR.full_name.encode() + b"\0" + content).digest()
