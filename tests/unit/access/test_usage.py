"""Limits that slide, alone and shared by servers."""

from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from quipu_server.access.domain import Caller, Limit, Limits, Measure, Role, called_by
from quipu_server.access.ports import Account, Counts
from quipu_server.access.usage import Usage
from quipu_server.errors import QuotaExceeded, StoreUnavailable

TEN_A_MINUTE = Limits(requests=Limit(10, 60))


class Clock:
    """The time of this machine; that of the database is `ahead_s` ahead."""

    def __init__(self) -> None:
        self.now = 6_000_000.0
        self.ahead_s = 0.0


class Shared:
    """A UsageStore over a counter."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._counts: Counter[tuple[Account, int]] = Counter()
        self.is_away = False

    async def now(self) -> float:
        if self.is_away:
            raise StoreUnavailable("away")
        return self._clock.now + self._clock.ahead_s

    async def add(self, used: Mapping[Account, int], now: float) -> Mapping[Account, Counts]:
        found = {}
        for account, amount in used.items():
            number = int(now // account.window_s)
            self._counts[account, number] += amount
            found[account] = Counts(self._counts[account, number], self._counts[account, number - 1])
        return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("time.time", lambda: made.now)
    return made


@pytest.fixture
def shared(clock: Clock) -> Shared:
    return Shared(clock)


@pytest.fixture
def limited() -> Iterator[Caller]:
    who = Caller("acme", Role.WRITE, "k", tenant_limits=TEN_A_MINUTE)
    with called_by(who):
        yield who


def use(usage: Usage, amount: int = 1) -> None:
    usage.check(Measure.REQUESTS)
    usage.spend(Measure.REQUESTS, amount)


def let_through(usage: Usage) -> int:
    """How many are let through now."""
    for count in range(100):
        try:
            use(usage)
        except QuotaExceeded:
            return count
    raise AssertionError("no limit")


def test_so_many_are_let_through(shared: Shared, limited: Caller) -> None:
    usage = Usage(shared)
    assert let_through(usage) == 10
    with pytest.raises(QuotaExceeded) as caught:
        use(usage)
    assert caught.value.metadata == {"subject": "tenants/acme", "quota": "requests", "limit": "10,60"}
    refused = {labels: value for _, value, labels in usage.samples()}
    assert refused[("requests",)] != 0
    assert refused[("memories",)] == 0


def test_the_window_slides(shared: Shared, limited: Caller, clock: Clock) -> None:
    usage = Usage(shared)
    assert let_through(usage) == 10
    clock.now += 60
    assert let_through(usage) == 0
    clock.now += 30
    assert let_through(usage) == 5
    clock.now += 120
    assert let_through(usage) == 10


@pytest.mark.parametrize("into_s", [0, 20, 59])
def test_a_caller_is_told_when_there_is_room_again(
    shared: Shared, limited: Caller, clock: Clock, into_s: float
) -> None:
    usage = Usage(shared)
    clock.now += into_s
    for _ in range(12):
        let_through(usage)
        with pytest.raises(QuotaExceeded) as caught:
            usage.check(Measure.REQUESTS)
        clock.now += caught.value.retry_after_s - 0.01
        with pytest.raises(QuotaExceeded):
            usage.check(Measure.REQUESTS)
        clock.now += 0.02
        usage.check(Measure.REQUESTS)


def test_nothing_is_allowed_with_none(shared: Shared) -> None:
    with called_by(Caller("acme", Role.READ, "k", key_limits=Limits(requests=Limit(0, 60)))):
        assert let_through(Usage(shared)) == 0


def test_a_key_has_limits_of_its_own(shared: Shared) -> None:
    usage, few = Usage(shared), Limits(requests=Limit(3, 60))
    with called_by(Caller("acme", Role.READ, "one", key_limits=few, tenant_limits=TEN_A_MINUTE)):
        assert let_through(usage) == 3
    with called_by(Caller("acme", Role.READ, "two", tenant_limits=TEN_A_MINUTE)):
        assert let_through(usage) == 7
    with called_by(Caller("other", Role.READ, "one", tenant_limits=TEN_A_MINUTE)):
        assert let_through(usage) == 10


def test_who_has_no_limits_is_not_counted(shared: Shared) -> None:
    usage = Usage(shared)
    use(usage, 1_000)
    with called_by(Caller("acme", Role.READ, "k")):
        use(usage, 1_000)
        use(usage)


async def test_servers_share_a_limit_after_an_exchange(shared: Shared, limited: Caller, clock: Clock) -> None:
    one, two = Usage(shared), Usage(shared)
    use(one, 6)
    use(two, 1)
    for usage in (one, two, one):
        await usage.exchange_once()
    assert let_through(one) == 3
    await one.exchange_once()
    await two.exchange_once()
    assert let_through(two) == 0
    clock.now += 60
    await two.exchange_once()
    clock.now += 30
    assert let_through(two) == 5


async def test_windows_are_those_of_the_database(shared: Shared, limited: Caller, clock: Clock) -> None:
    slow, right = Usage(shared), Usage(shared)
    use(slow)
    clock.ahead_s = 45
    await slow.exchange_once()
    use(right, 9)
    await right.exchange_once()
    await slow.exchange_once()
    assert let_through(slow) == 0


async def test_what_was_counted_while_the_database_was_away_is_told_later(
    shared: Shared, limited: Caller, clock: Clock
) -> None:
    one, two = Usage(shared), Usage(shared)
    use(one, 9)
    shared.is_away = True
    with pytest.raises(StoreUnavailable):
        await one.exchange_once()
    shared.is_away = False
    use(two)
    await one.exchange_once()
    await two.exchange_once()
    assert let_through(two) == 0
