"""How far scoring is: a bar on a terminal, a line now and then elsewhere, on standard error."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from replicate.cli.output import say

EVERY = 30.0  # seconds between lines
_BEGIN = 1.0  # seconds before a rate is worth telling
Tell = Callable[[str, int, int], None]


@contextmanager
def told(every: float = EVERY) -> Iterator[Tell]:
    """What the engine tells, shown: images a second and time left.

    Args:
        every: Seconds between two lines, where standard error is no terminal; 0 shows none.
    """
    if sys.stderr.isatty():
        with _bar() as bar:
            yield bar
    else:
        yield Lines(every) if every > 0 else lambda _what, _done, _total: None


class Pace:
    """How fast it goes.

    Args:
        clock: Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._began = clock, clock()

    @property
    def passed(self) -> float:
        """Seconds since the beginning."""
        return self._clock() - self._began

    def text(self, done: int, total: int) -> str:
        """Images a second and the time left, or nothing while they are not known."""
        if done <= 0 or self.passed < _BEGIN:
            return ""
        rate = done / self.passed
        return f"{_number(rate)} images/s, {duration((total - done) / rate)} left"


def duration(seconds: float) -> str:
    """A time for people.

    >>> duration(42), duration(200), duration(8000)
    ('42 s', '3 min', '2 h 13 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


class Lines:
    """A line when the first thing begins, then one every so many seconds.

    Args:
        every: Seconds between two lines.
        clock: Seconds that only go forward.
    """

    def __init__(self, every: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every, self._pace, self._last = every, Pace(clock), -every

    def __call__(self, what: str, done: int, total: int) -> None:
        """Tell, if it is time."""
        passed = self._pace.passed
        if passed - self._last < self._every or total <= 0:
            return
        self._last = passed
        pace = self._pace.text(done, total)
        say(
            f"  {done:,} of {total:,} ({100 * done / total:.0f} %)"
            + (f", {pace}" if pace else "")
            + f": {what}"
        )


@contextmanager
def _bar() -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    pace = Pace()
    columns = (
        BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[pace]}"),
        TextColumn("{task.description}", markup=False),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=None, pace="")

        def tell(what: str, done: int, total: int) -> None:
            shown.update(
                task, description=what, completed=done, total=total or None,
                pace=pace.text(done, total),
            )  # fmt: skip

        yield tell
