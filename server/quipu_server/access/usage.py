"""Limits: what callers use in sliding windows, counted here and added up with other servers now and then.

A window is as long as its limit says, and windows follow each other. What was used in the span that ends now is taken
to be what the window that contains now has, and of the one before the share that the span covers. Between two exchanges
with the database, every `EXCHANGE_S`, a server knows of others what it was told last: beyond a limit, all together may
let through what the others let through in that time.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import structlog

from quipu_server.access.domain import Caller, Limit, Measure, caller_or_nobody
from quipu_server.access.ports import Account, Counts, UsageStore
from quipu_server.errors import QuotaExceeded, StoreUnavailable
from quipu_server.measuring import Sample
from quipu_server.measuring.metrics import REFUSALS

EXCHANGE_S = 1.0

log = structlog.get_logger("quipu")


@dataclass(slots=True)
class Window:
    """What is known of an account: the number of a window, and what all have used in it and in the one before."""

    number: int
    current: float = 0
    previous: float = 0

    def move(self, number: int) -> None:
        """Go on to a later window."""
        if number > self.number:
            self.previous = self.current if number == self.number + 1 else 0
            self.current, self.number = 0, number


class Usage:
    """A Meter for those who have limits."""

    def __init__(self, store: UsageStore) -> None:
        self._store = store
        self._windows: dict[Account, Window] = {}
        self._unsent: Counter[Account] = Counter()
        self._refused: Counter[Measure] = Counter()
        self._ahead_s = 0.0
        """How far the clock of the database is ahead of this one's."""

    def samples(self) -> Iterable[Sample]:
        """How often a limit was used up."""
        return [REFUSALS.of(self._refused[measure], measure.value) for measure in Measure]

    def check(self, measure: Measure) -> None:
        for account, limit in _accounts(caller_or_nobody(), measure):
            if (wait_s := self._wait(account, limit)) > 0:
                self._refused[measure] += 1
                raise QuotaExceeded(account.subject, measure.value, str(limit), wait_s)

    def spend(self, measure: Measure, amount: int) -> None:
        for account, _ in _accounts(caller_or_nobody(), measure):
            self._window(account).current += amount
            self._unsent[account] += amount

    async def exchange(self) -> None:
        """Add what was counted here to what others count, for ever. Nothing is lost while the database is away."""
        while True:
            await asyncio.sleep(EXCHANGE_S)
            try:
                await self.exchange_once()
            except StoreUnavailable as error:
                log.warning("usage_not_exchanged", reason=str(error))

    async def exchange_once(self) -> None:
        """Tell what was used, and learn what others used. Raises StoreUnavailable."""
        if not self._windows:
            return
        now = await self._store.now()
        self._ahead_s = now - time.time()
        sent = Counter(self._unsent)
        counts = await self._store.add({account: sent[account] for account in self._windows}, now)
        self._unsent -= sent
        for account, known in counts.items():
            self._learn(account, known, now)
        self._forget(now)

    def _learn(self, account: Account, known: Counts, now: float) -> None:
        number = int(now // account.window_s)
        window = self._window(account)
        if window.number == number:  # else a new one has begun meanwhile
            window.current, window.previous = known.current + self._unsent[account], known.previous

    def _forget(self, now: float) -> None:
        """Drop what has not been used for two windows."""
        for account, window in list(self._windows.items()):
            window.move(int(now // account.window_s))
            if not window.current and not window.previous:
                del self._windows[account]

    def _window(self, account: Account) -> Window:
        number = int(self._now() // account.window_s)
        window = self._windows.setdefault(account, Window(number))
        window.move(number)
        return window

    def _wait(self, account: Account, limit: Limit) -> float:
        """Seconds until one more is within the limit; 0 when it is."""
        if limit.count < 1:
            return float(limit.window_s)
        window, into = self._window(account), (self._now() % limit.window_s) / limit.window_s
        if window.current + window.previous * (1 - into) + 1 <= limit.count:
            return 0.0
        room = limit.count - 1 - window.current
        if room >= 0:  # once less of the window before is counted
            return max(0.001, limit.window_s * (1 - room / window.previous - into))
        return limit.window_s * (1 - into + max(0.0, 1 - (limit.count - 1) / window.current))

    def _now(self) -> float:
        return time.time() + self._ahead_s


def _accounts(who: Caller | None, measure: Measure) -> Iterator[tuple[Account, Limit]]:
    """Where the use of a caller is counted, with the limit of each."""
    if who is None:
        return
    for key_id, limits in (("", who.tenant_limits), (who.key_id, who.key_limits)):
        if (limit := limits.of(measure)) is not None:
            yield Account(who.tenant, key_id, measure, limit.window_s), limit
