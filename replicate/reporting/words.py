"""Numbers as text, the same way everywhere in the report."""

import math
from collections.abc import Mapping

from replicate.analysis.intervals import Interval

MISSING = "–"


def signed(value: float, decimals: int = 1) -> str:
    """A number with a true minus sign; no sign on a rounded zero.

    >>> signed(-1.26), signed(0.004), signed(2.0)
    ('−1.3', '0.0', '2.0')
    >>> signed(8.25) == signed(8.250000000000002)
    True
    """
    if not math.isfinite(value):
        return MISSING
    # One figure that was added up in two ways must not be rounded in two ways.
    text = f"{round(value, 9):.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def percent(fraction: float, decimals: int = 1) -> str:
    """A fraction as a percentage, without the sign.

    >>> percent(0.9711, 2)
    '97.11'
    """
    return signed(100 * fraction, decimals)


def interval(value: Interval | None, decimals: int = 2) -> str:
    """An interval as ``low to high``.

    >>> interval(Interval(-0.5, 1.25))
    '−0.50 to 1.25'
    """
    if value is None:
        return MISSING
    return f"{signed(value.low, decimals)} to {signed(value.high, decimals)}"


def percents(value: Interval | None, decimals: int = 1) -> str:
    """An interval of fractions, in percent or percentage points.

    >>> percents(Interval(0.012, 0.034))
    '1.2 to 3.4'
    """
    if value is None:
        return MISSING
    return interval(Interval(100 * value.low, 100 * value.high), decimals)


def count(number: int, noun: str = "", plural: str = "") -> str:
    """A number with thousands separated, and its noun.

    >>> count(12345, "vote"), count(1, "class", "classes")
    ('12,345 votes', '1 class')
    """
    if not noun:
        return f"{number:,}"
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def words(name: str) -> str:
    """A machine's name as words: ``duplicate_of_reference`` → ``duplicate of reference``.

    >>> words("too_few_votes")
    'too few votes'
    """
    return name.replace("_", " ")


def reasons(lost: Mapping[str, int]) -> str:
    """Counts by reason, the most frequent first.

    >>> reasons({"dead": 2, "not_an_image": 10})
    '10 not an image, 2 dead'
    """
    ordered = sorted(lost.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number:,} {words(reason)}" for reason, number in ordered if number)


def joined(names: list[str]) -> str:
    """Names in a sentence.

    >>> joined(["a", "b", "c"])
    'a, b and c'
    """
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
