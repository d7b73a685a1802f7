"""The server of the tests of the client."""

from collections.abc import Iterator

import pytest

from tests.unit.fake_server import QUICK_RETRIES, FakeServer, fake_server


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quipu.wire.OPTIONS", QUICK_RETRIES)


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server() as fake:
        yield fake
