"""A server whose clock is wrong."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quipu.v1.memory_service_pb2 import ListMemoriesRequest
from tests.faults.conftest import Site
from tests.faults.ledger import Ledger
from tests.integration.api import Api

pytestmark = pytest.mark.asyncio(loop_scope="session")

TEN_YEARS_S = 10 * 365 * 86_400.0


@pytest.mark.parametrize("moved_s", [TEN_YEARS_S, -TEN_YEARS_S], ids=["ahead", "behind"])
async def test_a_clock_moved(
    site: Site, api: Api, ledger: Ledger, space: str, monkeypatch: pytest.MonkeyPatch, moved_s: float
) -> None:
    """The clock of a server jumps by ten years while it runs: calls go on, and times come from the database."""
    ledger.call_s = None  # a deadline would come from the same clock, as the client is in this process
    await ledger.write()
    real, real_now = time.time, datetime.now

    class Moved(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return real_now(tz) + timedelta(seconds=moved_s)

    monkeypatch.setattr(time, "time", lambda: real() + moved_s)
    monkeypatch.setattr("quipu_server.rpc.convert.memories.datetime", Moved)
    for _ in range(5):
        assert await ledger.write()
        assert await ledger.search()
    monkeypatch.undo()
    assert await ledger.write()
    ((now,),) = await site.execute("SELECT now()")
    listed = await api.memories.ListMemories(ListMemoriesRequest(parent=space))
    times = [m.create_time.ToDatetime(UTC) for m in listed.memories]
    assert all(abs((each - now).total_seconds()) < 60 for each in times)
    assert times == sorted(times)
    assert not ledger.refusals
    await ledger.check()
