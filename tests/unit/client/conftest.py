"""The server of the tests of the client."""

from collections.abc import Iterator

import pytest

from tests.unit.fake_server import FakeServer, fake_server


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server() as fake:
        yield fake
