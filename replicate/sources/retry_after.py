"""How long a server asks to be left alone."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def seconds_to_wait(
    header: str | None, date: str | None = None, now: datetime | None = None
) -> float:
    """The seconds of a ``Retry-After`` header; 0.0 if it says nothing usable (RFC 9110, 10.2.3).

    Args:
        header: Its value: seconds, or the time from when on to ask again.
        date: The answer's ``Date`` header: a time is then counted by the server's own clock.
        now: The time by our clock, for answers without a date. Default: now.

    >>> seconds_to_wait("3"), seconds_to_wait("soon"), seconds_to_wait(None)
    (3.0, 0.0, 0.0)
    >>> seconds_to_wait("Wed, 25 Nov 2026 08:00:30 GMT", "Wed, 25 Nov 2026 08:00:00 GMT")
    30.0
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until = _time(text)
    if until is None:
        return 0.0
    start = _time(date or "") or now or datetime.now(UTC)
    return max(0.0, (until - start).total_seconds())


def _time(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
