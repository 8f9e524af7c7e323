"""How fast one key may call."""

from collections.abc import Callable

from replicate.crowdserver.errors import ApiError

API_RATE = 1000.0  # calls a second and key; more than one machine answers, so nobody meets it
_BURST = 2.0  # seconds' worth of calls that may come at once


class Throttle:
    """A bucket of tokens for each key: each call takes one, and they come back at a steady rate.

    Args:
        rate: Calls a second and key.
        clock: Seconds that only ever grow.
    """

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, key: str) -> None:
        """Count one call of a key.

        Raises:
            ApiError: There were too many; clients of AWS wait a little and call again.
        """
        most = max(1.0, self._rate * _BURST)
        now = self._clock()
        left, then = self._buckets.get(key, (most, now))
        left = min(most, left + (now - then) * self._rate)
        self._buckets[key] = (left - 1 if left >= 1 else left, now)
        if left < 1:
            raise throttled()


def throttled() -> ApiError:
    """The error that AWS clients know to wait after and call again."""
    return ApiError("Rate exceeded: wait a little and call again.", kind="ThrottlingException")
