"""Reviews while they are being made: read once, written one by one, each before it counts."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from replicate.store import database
from replicate.store.reviews import Given, History, history_of

Key = tuple[str, str]  # a pair's images, or an image and its class
NOTHING = History({}, {})


class Book:
    """What was said, in memory and in the store.

    A server that keeps one is the only one to write these reviews while it runs.

    Args:
        engine: The study's database.
        read: All that was said, the first first.
        write: Writes one entry down.
        keys: What is looked at now; only this is counted.

    Attributes:
        looked: By reviewer, how many of the keys they have looked at.
        split: On how many of the keys those who looked do not say the same.
    """

    def __init__(
        self,
        engine: Engine,
        read: Callable[[Session], Iterable[tuple[Key, Given]]],
        write: Callable[[Session, Key, Given], None],
        keys: Iterable[Key],
    ) -> None:
        self._engine = engine
        self._write = write
        self._said: dict[Key, list[Given]] = {}
        self._order: dict[str, list[Key]] = {}
        self._histories: dict[Key, History] = {}
        self._keys = frozenset(keys)
        self.looked: Counter[str] = Counter()
        self.split = 0
        with database.session(engine) as session:
            for key, given in read(session):
                self._keep(key, given)

    def say(self, entries: Sequence[tuple[Key, Given]]) -> None:
        """Write entries down, all or none; once this returns, they are stored."""
        with database.session(self._engine) as session:
            for key, given in entries:
                self._write(session, key, given)
        for key, given in entries:
            self._keep(key, given)

    def history(self, key: Key) -> History:
        """What was said of one thing."""
        return self._histories.get(key, NOTHING)

    def own(self, key: Key, reviewer: str) -> Given | None:
        """What a reviewer says of one thing; None if nothing, or if it was taken back."""
        return self.history(key).latest.get(reviewer)

    def last(self, reviewer: str) -> Key | None:
        """Which of the keys a reviewer judged last and did not take back."""
        for key in reversed(self._order.get(reviewer, [])):
            if key in self._keys and self.own(key, reviewer) is not None:
                return key
        return None

    def _keep(self, key: Key, given: Given) -> None:
        said = self._said.setdefault(key, [])
        said.append(given)
        self._order.setdefault(given.reviewer, []).append(key)
        before, after = self.history(key), history_of(said)
        self._histories[key] = after
        if key in self._keys:
            who = given.reviewer
            self.looked[who] += (who in after.latest) - (who in before.latest)
            self.split += after.disagreement - before.disagreement
