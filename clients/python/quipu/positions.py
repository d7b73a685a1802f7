"""How far a watch has come: kept, it tells where to go on."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Self

from google.protobuf.message import DecodeError

from quipu.operations import by_space
from quipu.v1.memory_service_pb2 import WatchMemoriesRequest


class Position:
    """The revision that was reached in each space, by name, and the nonce that tells it from others with its number."""

    def __init__(self, revisions: Mapping[str, int], nonces: Mapping[str, int]) -> None:
        self.revisions = dict(revisions)
        self._nonces = dict(nonces)

    @classmethod
    def read(cls, after: int | Mapping[str, int] | str | None, spaces: Sequence[str]) -> Self:
        """What a caller says it is. Raises ValueError for what is no token."""
        if isinstance(after, str):
            begin = _decode(after)
            return cls(begin.after_revisions, begin.after_nonces)
        return cls({} if after is None else by_space(after, spaces, "after"), {})

    @property
    def token(self) -> str:
        """The position as text: the same in the clients for all languages."""
        begin = WatchMemoriesRequest()
        self.put_into(begin)
        return base64.urlsafe_b64encode(begin.SerializeToString(deterministic=True)).decode().rstrip("=")

    def reach(self, space: str, revision: int, nonce: int) -> None:
        """Go on to a revision."""
        self.revisions[space], self._nonces[space] = revision, nonce

    def put_into(self, request: WatchMemoriesRequest) -> None:
        """Let a watch begin here."""
        request.after_revisions.update(self.revisions)
        request.after_nonces.update(self._nonces)


def _decode(token: str) -> WatchMemoriesRequest:
    try:
        packed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        begin = WatchMemoriesRequest.FromString(packed)
    except (binascii.Error, ValueError, DecodeError):
        begin = WatchMemoriesRequest()
    if not begin.after_revisions:
        raise ValueError("after: is neither revisions nor the token of a watch")
    return begin
