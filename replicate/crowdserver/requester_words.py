"""Numbers and moments in words, for the requester's pages."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any


def moment(seconds: float) -> str:
    """A moment as people read it.

    >>> moment(0.0)
    '1970-01-01 00:00 UTC'
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def span(seconds: float) -> str:
    """A length of time, in its one or two largest units.

    >>> span(42), span(600), span(5400), span(200_000)
    ('42 s', '10 min', '1 h 30 min', '2 d 7 h')
    """
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    if whole < 3600:
        return f"{round(whole / 60)} min"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def ago(seconds: float, now: float) -> str:
    """How long a moment is past.

    >>> ago(0.0, 600.0)
    '10 min ago'
    """
    return f"{span(now - seconds)} ago"


def money(amount: Decimal) -> str:
    """US dollars.

    >>> money(Decimal("1234.5"))
    '$1,234.50'
    """
    return f"${amount:,.2f}"


def percent(part: float, whole: float) -> str:
    """A share, with one decimal, for text and for the width of a bar.

    >>> percent(1, 3), percent(0, 0)
    ('33.3', '0.0')
    """
    return f"{100 * part / whole if whole else 0.0:.1f}"


def ends(to_come: int, pace: float | None, now: float) -> str:
    """When the last assignment is sent in, if it goes on as it does.

    Args:
        to_come: Assignments that are still to come.
        pace: Assignments an hour; None if it is not known.
        now: The present moment.

    >>> ends(10, 5.0, 0.0)
    'in about 2 h 0 min (1970-01-01 02:00 UTC)'
    """
    if not to_come:
        return "nothing more is to come"
    if not pace:
        return "not known yet"
    left = to_come / pace * 3600
    return f"in about {span(left)} ({moment(min(now + left, 4e9))})"


WORDS: Mapping[str, Callable[..., Any]] = {"moment": moment, "money": money, "percent": percent}
