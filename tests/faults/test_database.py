"""What happens to the database, and to the network before it, while writers and searches are at work."""

import asyncio
import os
import signal

import psycopg
import pytest
from grpc import StatusCode

from quipu_server.app import Running
from tests.faults.conftest import Site
from tests.faults.ledger import Ledger, traffic

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHORT_S = 2.0
"""Deadline of calls that get no answer."""
OURS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


async def test_stopped(site: Site, server: Running, ledger: Ledger) -> None:
    """PostgreSQL is stopped, and started later: calls are refused meanwhile, and answered again afterwards."""
    async with traffic(ledger):
        await site.postgres.stop()
        await ledger.refused()
        await site.start_database()


async def test_restarted(site: Site, ledger: Ledger) -> None:
    """PostgreSQL is restarted at once: the server connects again by itself."""
    async with traffic(ledger):
        await site.postgres.stop()
        await site.start_database()


async def test_a_backend_killed(site: Site, ledger: Ledger) -> None:
    """One process of PostgreSQL is killed (as when memory runs out): it throws everybody out, and all comes back."""
    async with traffic(ledger):
        ((pid,),) = await site.execute(f"SELECT pid {OURS} LIMIT 1")
        os.kill(pid, signal.SIGKILL)
        await ledger.refused(1)


@pytest.mark.parametrize("what", ["pg_terminate_backend", "pg_cancel_backend"])
async def test_connections_ended_by_an_administrator(site: Site, ledger: Ledger, what: str) -> None:
    """An administrator ends all connections or statements, ten times: each call is whole or refused."""
    async with traffic(ledger):
        for _ in range(10):
            await site.execute(f"SELECT {what}(pid) {OURS}")
            await asyncio.sleep(0.1)


async def test_nobody_let_in(site: Site, ledger: Ledger) -> None:
    """The database lets nobody in for a while: calls are refused, and answered when it does again."""
    ((name,),) = await site.execute("SELECT current_database()")
    async with traffic(ledger):
        await site.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false', "template1")
        await site.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'", "template1"
        )
        await ledger.refused()
        await site.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true', "template1")


async def test_connections_reset(site: Site, ledger: Ledger) -> None:
    """The network resets all connections, five times: each call is whole or refused."""
    async with traffic(ledger):
        for _ in range(5):
            site.gate.cut()
            await asyncio.sleep(0.2)


async def test_no_way_to_the_database(site: Site, ledger: Ledger) -> None:
    """The network refuses connections for a while: calls are refused, and answered when it does not."""
    async with traffic(ledger):
        site.gate.is_shut = True
        site.gate.cut()
        await ledger.refused()
        site.gate.is_shut = False


async def test_slow(site: Site, ledger: Ledger) -> None:
    """Everything from and to the database takes 50 ms longer: nothing is refused."""
    async with traffic(ledger):
        site.gate.delay_s = 0.05
        await asyncio.sleep(2)
        site.gate.delay_s = 0.0
    assert not ledger.refusals


async def test_silent_for_a_while(site: Site, ledger: Ledger) -> None:
    """The network delivers nothing for a while, then everything: calls end at their deadlines, and nothing is lost."""
    ledger.call_s = SHORT_S
    async with traffic(ledger):
        site.gate.stall(new_ones=True)
        await ledger.refused()
        site.gate.flow()


async def test_silent_for_ever(site: Site, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections fall silent for ever, new ones work: the server notices, gives them up, and connects again."""
    monkeypatch.setattr("quipu_server.store.database.HEARTBEAT_S", 0.5)
    monkeypatch.setattr("quipu_server.store.database.ANSWER_S", 1.0)
    ledger.call_s = SHORT_S
    async with traffic(ledger):
        site.gate.stall(new_ones=False)
        await ledger.refused()
    site.gate.flow()


async def test_a_table_locked(site: Site, ledger: Ledger) -> None:
    """Somebody locks a table: writes end at their deadlines and leave nothing half done."""
    ledger.call_s = SHORT_S
    async with traffic(ledger), await psycopg.AsyncConnection.connect(site.conninfo) as other:
        await other.execute("LOCK TABLE quipu.heads IN ACCESS EXCLUSIVE MODE")
        await asyncio.sleep(SHORT_S + 0.5)
        await other.rollback()
    assert {r.code for r in ledger.refusals} == {StatusCode.DEADLINE_EXCEEDED}


async def test_read_only(site: Site, ledger: Ledger) -> None:
    """The database is read-only for a while (as a standby is): writes are refused, searches are answered."""
    async with traffic(ledger):
        await site.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        await site.execute("SELECT pg_reload_conf()")
        await ledger.refused()
        assert await ledger.search()
        await site.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await site.execute("SELECT pg_reload_conf()")
    assert {r.reason for r in ledger.refusals} == {"STORE_UNAVAILABLE"}


FULL = """
CREATE FUNCTION quipu.is_full() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full', MESSAGE = 'No space left on device'; END $$;
CREATE TRIGGER is_full BEFORE INSERT ON quipu.memory_revisions EXECUTE FUNCTION quipu.is_full();
"""


async def test_full_disk(site: Site, ledger: Ledger) -> None:
    """PostgreSQL says that its disk is full (a trigger says so for it): writes are refused whole, searches go on."""
    async with traffic(ledger):
        await site.execute(FULL)
        await ledger.refused()
        assert await ledger.search()
        await site.execute("DROP FUNCTION quipu.is_full CASCADE")
    assert {r.reason for r in ledger.refusals} == {"STORE_UNAVAILABLE"}
