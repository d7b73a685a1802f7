"""What a client shows and trusts when it speaks TLS."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TypeAlias

import grpc

Pem: TypeAlias = bytes | str | PathLike[str]
"""Certificates or a key in PEM: the bytes, or the path of a file."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom to trust, and who the client is to a server that asks for certificates.

    ca: certificates of authorities; None for those that gRPC knows.
    certificate, key: of the client, both or none.
    """

    ca: Pem | None = None
    certificate: Pem | None = None
    key: Pem | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """What gRPC takes. Raises ValueError for half a pair, OSError for a file that cannot be read."""
        if (self.certificate is None) is not (self.key is None):
            raise ValueError("certificate and key belong together: give both or none")
        return grpc.ssl_channel_credentials(_read(self.ca), _read(self.key), _read(self.certificate))


def _read(pem: Pem | None) -> bytes | None:
    return pem if pem is None or isinstance(pem, bytes) else Path(pem).expanduser().read_bytes()
