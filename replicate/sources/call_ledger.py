"""What an API was asked, kept by whoever calls it: for its rate limit, and to ask nothing twice.

A run that is killed loses neither the count of its calls nor the answers that it had: the next one
counts on, and recalls the answers instead of asking again.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

from replicate.base.clock import Clock, SystemClock

HOUR = timedelta(hours=1)


class CallLedger(Protocol):
    """The calls that were made."""

    def begin(self, request: str, at: datetime) -> int:
        """Note a call before it is made; its number.

        Args:
            request: A digest of what is asked, without keys.
            at: The time.
        """
        ...

    def nth_latest(self, n: int) -> datetime | None:
        """When the n-th call before the next one was made, n >= 1; None: there were fewer."""
        ...

    def keep(self, call: int, answer: dict[str, Any]) -> None:
        """Keep the answer to a call."""
        ...

    def recall(self, request: str) -> dict[str, Any] | None:
        """The answer that was kept for a request; None: there is none."""
        ...


class MemoryLedger:
    """A ledger that ends with its process, and keeps no answers."""

    def __init__(self) -> None:
        self._calls: list[datetime] = []

    def begin(self, request: str, at: datetime) -> int:
        """See `CallLedger`."""
        self._calls = [each for each in self._calls if each > at - HOUR]
        self._calls.append(at)
        return len(self._calls)

    def nth_latest(self, n: int) -> datetime | None:
        """See `CallLedger`."""
        return self._calls[-n] if n <= len(self._calls) else None

    def keep(self, call: int, answer: dict[str, Any]) -> None:
        """Keeps nothing."""

    def recall(self, request: str) -> dict[str, Any] | None:
        """Recalls nothing."""
        return None


class RateLimit:
    """At most so many calls in any hour; waits when there were too many.

    Args:
        calls_per_hour: The limit, at least 1.
        ledger: The calls that were made, also by earlier runs.
        clock: The time now.
        sleep: How to wait.
    """

    def __init__(
        self,
        calls_per_hour: int,
        ledger: CallLedger | None = None,
        clock: Clock | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limit, self._sleep = calls_per_hour, sleep
        self._ledger: CallLedger = ledger or MemoryLedger()
        self._clock: Clock = clock or SystemClock()

    def begin(self, request: str) -> int:
        """Wait until another call is allowed, and note it; its number in the ledger."""
        earlier = self._ledger.nth_latest(self._limit)
        if earlier is not None:
            # Never more than an hour: the machine's clock may have been put back meanwhile.
            pause = min(earlier + HOUR - self._clock.now(), HOUR).total_seconds()
            if pause > 0:
                self._sleep(pause)
        return self._ledger.begin(request, self._clock.now())
