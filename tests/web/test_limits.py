"""The limiter against what it promises: never more than the burst and the rate allow."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from replicate.web.limits import Limiter, RateLimit, network


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@given(
    st.floats(0.1, 50),
    st.integers(1, 20),
    st.lists(st.floats(0, 5), min_size=1, max_size=100),
)
def test_any_window_holds_no_more_than_burst_and_rate(
    rate: float, burst: int, pauses: list[float]
) -> None:
    clock = Clock()
    limiter = Limiter(rate, burst, clock)
    taken: list[float] = []
    for pause in pauses:
        clock.now += pause
        wait = limiter.take("a")
        if wait == 0.0:
            taken.append(clock.now)
        else:  # the wait that is said is enough, and not much more than needed
            assert 0 < wait <= 1 / rate + 1e-6
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            most = burst + (taken[last] - taken[first]) * rate
            assert last - first + 1 <= most + 1e-6


def test_waiting_as_long_as_one_is_told_is_enough() -> None:
    clock = Clock()
    limiter = Limiter(2.0, 3.0, clock)
    assert [limiter.take("a") for _ in range(3)] == [0.0] * 3
    wait = limiter.take("a")
    assert limiter.take("b") == 0.0
    clock.now += wait
    assert limiter.take("a") == 0.0
    assert limiter.take("a") > 0.0


def test_names_are_forgotten_not_kept_for_ever() -> None:
    clock = Clock()
    limiter = Limiter(1.0, 1.0, clock)
    for number in range(30_000):
        limiter.take(str(number))
    assert len(limiter._next) <= 20_000
    assert limiter.take("29999") > 0.0  # the last ones are known


def test_addresses_of_one_household_are_one() -> None:
    first, second = ("2001:db8:1:2:3::4", 1), ("2001:db8:1:2:ffff::1", 2)
    assert network({"client": first}) == network({"client": second})
    assert network({"client": ("2001:db8:1:3::1", 1)}) != network({"client": first})
    assert network({"client": ("fe80::1%eth0", 1)}) == "fe80::"
    assert network({"client": None}) == ""
    assert network({"client": ("::gg", 1)}) == "::gg"


def test_what_is_no_request_passes() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    limit = RateLimit(app, 1.0, lambda scope: None, lambda scope: False)
    asyncio.run(limit({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]
