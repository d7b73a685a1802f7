"""Servers that are told to end, or are ended, while calls run."""

import asyncio
from pathlib import Path

import pytest
from grpc import aio

from tests.faults.conftest import Site
from tests.faults.ledger import CUT_OFF, Ledger, traffic
from tests.integration.api import Api
from tests.scenarios.servers import ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="session")

OPTIONS = [("grpc.max_reconnect_backoff_ms", 500), ("grpc.initial_reconnect_backoff_ms", 100)]


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
async def test_a_server_ended(site: Site, home: Path, space: str, how: str) -> None:
    """A server gets SIGTERM or SIGKILL in the middle of calls: what it acknowledged is there."""
    options = ["--embedding-workers", "1", "--job-workers", "0"]
    server = await asyncio.to_thread(ServerProcess, home, site.url, options)
    try:
        async with aio.insecure_channel(server.address, options=OPTIONS) as channel:
            async with traffic(Ledger(Api.over(channel), space, CUT_OFF)) as ledger:
                if how == "SIGTERM":
                    await asyncio.to_thread(server.restart)
                else:
                    server.kill()
                    await asyncio.to_thread(server.start_again)
            assert ledger.refusals
    finally:
        await asyncio.to_thread(server.stop)
