"""TLS and certificates of clients: who gets through, and what is shown after a renewal."""

import asyncio
import socket
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import quipu
from quipu_server.app import Running, running
from quipu_server.cli import run
from quipu_server.config import Settings
from quipu_server.errors import StartupError
from tests.integration.certificates import DAY, Authority
from tests.unit.fake_server import QUICK_RETRIES

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quipu.wire.OPTIONS", QUICK_RETRIES)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("the authority of the test")


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> dict[str, Any]:
    """Settings of a server with a good certificate."""
    certificate, key = authority.issue("first").write(tmp_path, "server")
    return {"tls_cert_file": certificate, "tls_key_file": key}


@asynccontextmanager
async def serving(database_url: str, files: dict[str, Any]) -> AsyncIterator[Running]:
    settings = Settings.model_validate({"port": 0, "database_url": database_url, "hot_bytes": 0} | files)
    async with running(settings) as server:
        await server.ready()
        yield server


async def ask(server: Running, tls: bool | quipu.Tls) -> int:
    """Make a call, and tell how many models there are."""
    async with quipu.connect(f"localhost:{server.port}", tls=tls) as client:
        return len(await client.models())


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.certificate.decode())


def common_name(port: int, context: ssl.SSLContext) -> str:
    """Shake hands, and return the common name of what the server shows."""
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", port), 5) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        certificate: Any = secure.getpeercert()
        return str(dict(part[0] for part in certificate["subject"])["commonName"])


async def test_who_trusts_the_authority_gets_through_and_others_do_not(
    database_url: str, files: dict[str, Any], authority: Authority
) -> None:
    async with serving(database_url, files) as server:
        assert await ask(server, quipu.Tls(ca=authority.certificate)) > 0
        for wrong in (False, True, quipu.Tls(ca=Authority("another").certificate)):
            with pytest.raises(quipu.Unavailable):
                await ask(server, wrong)


async def test_the_blocking_client_speaks_tls(
    database_url: str, files: dict[str, Any], authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "ca.crt").write_bytes(authority.certificate)

    def models(port: int) -> int:
        with quipu.connect_sync(f"localhost:{port}", tls=quipu.Tls(ca=tmp_path / "ca.crt")) as client:
            return len(client.models())

    async with serving(database_url, files) as server:
        assert await asyncio.to_thread(models, server.port) > 0


async def test_its_health_is_asked_over_tls(
    database_url: str,
    files: dict[str, Any],
    authority: Authority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "ca.crt").write_bytes(authority.certificate)
    async with serving(database_url, files) as server:
        assert await asyncio.to_thread(run, ["doctor", "--health", "--port", str(server.port)]) == 1
        monkeypatch.setenv("QUIPU_TLS_CA", str(tmp_path / "ca.crt"))
        monkeypatch.setenv("QUIPU_ADDRESS", f"localhost:{server.port}")
        assert await asyncio.to_thread(run, ["doctor", "--health"]) == 0


async def test_old_protocols_are_refused(database_url: str, files: dict[str, Any], authority: Authority) -> None:
    old, new = trusting(authority), trusting(authority)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")  # or this end would refuse
    new.maximum_version = ssl.TLSVersion.TLSv1_2
    async with serving(database_url, files) as server:
        assert await asyncio.to_thread(common_name, server.port, new) == "first"
        with pytest.raises(OSError, match=r"EOF|PROTOCOL_VERSION|reset"):  # what the other end does, not this one
            await asyncio.to_thread(common_name, server.port, old)


async def test_a_renewed_certificate_is_shown_without_a_restart(
    database_url: str, files: dict[str, Any], authority: Authority, tmp_path: Path
) -> None:
    """A certificate is renewed, half of it first, then broken: the newest good pair is shown, without a restart."""
    async with serving(database_url, files) as server:
        tls = quipu.Tls(ca=authority.certificate)
        async with quipu.connect(f"localhost:{server.port}", tls=tls) as old_connection:
            await old_connection.models()
            assert await asyncio.to_thread(common_name, server.port, trusting(authority)) == "first"
            renewed = authority.issue("second")
            (tmp_path / "server.crt").write_bytes(renewed.certificate)
            # Half of a renewal: what was good stays.
            assert await asyncio.to_thread(common_name, server.port, trusting(authority)) == "first"
            (tmp_path / "server.key").write_bytes(renewed.key)
            assert await asyncio.to_thread(common_name, server.port, trusting(authority)) == "second"
            assert await ask(server, tls) > 0
            await old_connection.models()
        (tmp_path / "server.crt").write_bytes(b"broken")
        assert await asyncio.to_thread(common_name, server.port, trusting(authority)) == "second"


async def test_an_expired_certificate_is_refused_by_the_client(
    database_url: str, authority: Authority, tmp_path: Path
) -> None:
    """The certificate of a server has expired: clients refuse it."""
    certificate, key = authority.issue("old", lasts=-DAY).write(tmp_path, "old")
    async with serving(database_url, {"tls_cert_file": certificate, "tls_key_file": key}) as server:
        with pytest.raises(quipu.Unavailable, match=r"(?i)certificate|handshake|reached"):
            await ask(server, quipu.Tls(ca=authority.certificate))
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            await asyncio.to_thread(common_name, server.port, trusting(authority))


async def test_clients_need_a_certificate_when_the_server_asks_for_one(
    database_url: str, files: dict[str, Any], authority: Authority, tmp_path: Path
) -> None:
    """A client has no certificate, another authority's, or an expired one: it is refused."""
    clients = Authority("the authority of clients")
    (tmp_path / "clients.crt").write_bytes(clients.certificate)
    good, other, old = clients.issue("ann"), authority.issue("bo"), clients.issue("cy", lasts=-DAY)
    async with serving(database_url, files | {"tls_client_ca_file": tmp_path / "clients.crt"}) as server:
        assert await ask(server, quipu.Tls(authority.certificate, good.certificate, good.key)) > 0
        for refused in (
            quipu.Tls(authority.certificate),
            quipu.Tls(authority.certificate, other.certificate, other.key),
            quipu.Tls(authority.certificate, old.certificate, old.key),
        ):
            with pytest.raises(quipu.Unavailable):
                await ask(server, refused)


@pytest.mark.parametrize("lost", ["tls_cert_file", "tls_key_file"])
async def test_half_a_pair_is_refused_at_start(
    database_url: str, files: dict[str, Any], authority: Authority, tmp_path: Path, lost: str
) -> None:
    half = {name: path for name, path in files.items() if name != lost}
    with pytest.raises(StartupError, match="needs both"):
        async with serving(database_url, half):
            pass
    strange, _ = authority.issue("strange").write(tmp_path, "strange")
    with pytest.raises(StartupError, match="cannot be used"):
        async with serving(database_url, files | {"tls_cert_file": strange}):
            pass


async def test_half_a_pair_of_a_client_is_refused() -> None:
    with pytest.raises(ValueError, match="belong together"):
        quipu.connect("localhost:1", tls=quipu.Tls(certificate=b"x"))
