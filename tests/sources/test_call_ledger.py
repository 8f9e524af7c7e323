from datetime import UTC, datetime, timedelta

import pytest
from support.clocks import ManualClock

from replicate.sources.call_ledger import HOUR, MemoryLedger, RateLimit

START = datetime(2026, 1, 1, tzinfo=UTC)


class Waiting:
    """A clock that moves on while somebody sleeps."""

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.advance(timedelta(seconds=seconds))

    def limit(self, calls: int, ledger: MemoryLedger | None = None) -> RateLimit:
        return RateLimit(calls, ledger, self.clock, self.sleep)


def test_the_rate_limit_waits_for_the_hour_to_pass():
    waiting = Waiting()
    limit = waiting.limit(3)
    for number in range(7):
        limit.begin(str(number))
        waiting.clock.advance(timedelta(seconds=10))
    assert waiting.waits == [3570, 3570]


@pytest.mark.parametrize("limit", [1, 5, 60])
def test_no_hour_ever_holds_more_calls_than_allowed(limit: int):
    waiting, made = Waiting(), []
    calls = waiting.limit(limit)
    for number in range(300):
        calls.begin(str(number))
        made.append(waiting.clock.now())
        waiting.clock.advance(timedelta(seconds=number * 37 % 113))
    for first, later in zip(made, made[limit:], strict=False):
        assert later - first >= HOUR


def test_calls_of_a_run_before_count():
    waiting, ledger = Waiting(), MemoryLedger()
    for _ in range(2):
        waiting.limit(3, ledger).begin("x")
    waiting.clock.advance(timedelta(minutes=50))
    later = waiting.limit(3, ledger)
    later.begin("x")
    later.begin("x")
    assert waiting.waits == [600]


def test_a_clock_that_was_put_back_costs_an_hour_at_most():
    waiting = Waiting()
    limit = waiting.limit(1)
    limit.begin("x")
    waiting.clock.advance(timedelta(days=-400))
    limit.begin("x")
    assert waiting.waits == [3600]
