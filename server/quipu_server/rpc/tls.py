"""TLS of the server: its certificate, read again when the files change, and whose clients may come.

gRPC speaks TLS 1.2 and 1.3, and nothing older.
"""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import grpc
import structlog

from quipu_server.config import Settings
from quipu_server.errors import StartupError

log = structlog.get_logger("quipu.tls")

State: TypeAlias = tuple[tuple[int, int, int], ...]
"""What changes when a file is written or replaced: its inode, size and time, for each."""


@dataclass(frozen=True, slots=True)
class Files:
    """PEM files. client_ca: None when clients need no certificate."""

    certificate: Path
    key: Path
    client_ca: Path | None

    def state(self) -> State:
        """Raises OSError when one is missing."""
        found = [os.stat(path) for path in (self.certificate, self.key, self.client_ca) if path is not None]
        return tuple((file.st_ino, file.st_size, file.st_mtime_ns) for file in found)

    def read(self) -> grpc.ServerCertificateConfiguration:
        """Raises OSError, of which ssl.SSLError is one, when they cannot be read or do not belong together."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if self.client_ca is not None:
            context.load_verify_locations(self.client_ca)
        authorities = None if self.client_ca is None else self.client_ca.read_bytes()
        pair = (self.key.read_bytes(), self.certificate.read_bytes())
        return grpc.ssl_server_certificate_configuration([pair], authorities)


class Certificates:
    """What is shown to each new connection: the files as they are, or as they were last good."""

    def __init__(self, files: Files) -> None:
        """Raises StartupError when the files are not good."""
        self._files = files
        try:
            self._state = files.state()
            self._first = files.read()
        except OSError as error:
            raise StartupError(
                f"the TLS files cannot be used: {error.filename or files.certificate}: {error}"
            ) from error

    def credentials(self) -> grpc.ServerCredentials:
        """What gRPC listens with."""
        needs_client = self._files.client_ca is not None
        return grpc.dynamic_ssl_server_credentials(self._first, self.renewed, needs_client)  # type: ignore[arg-type]  # None means: as before

    def renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """The files, when they have changed and are good; None to go on with what was shown before.

        Called by gRPC before each handshake, on a thread of its own.
        """
        try:
            if (state := self._files.state()) == self._state:
                return None
            made = self._files.read()
        except OSError as error:
            log.warning("certificate_not_renewed", reason=str(error))
            return None
        self._state = state
        log.info("certificate_renewed", file=str(self._files.certificate))
        return made


def certificates_of(settings: Settings) -> Certificates | None:
    """Those that the settings name; None when there is no TLS. Raises StartupError for half a pair."""
    certificate, key, client_ca = settings.tls_cert_file, settings.tls_key_file, settings.tls_client_ca_file
    if certificate is not None and key is not None:
        paths = (path and path.expanduser() for path in (certificate, key, client_ca))
        return Certificates(Files(*paths))  # type: ignore[arg-type]
    if certificate or key or client_ca:
        raise StartupError("TLS needs both tls_cert_file and tls_key_file")
    return None
