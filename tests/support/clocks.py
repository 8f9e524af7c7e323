"""A clock that tests set."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """A clock that stands still until it is moved.

    Args:
        start: The first moment, with a time zone.
    """

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """The moment that the clock was last set to."""
        return self._now

    def advance(self, delta: timedelta) -> None:
        """Move the clock forward."""
        self._now += delta
