"""What submitted answers say of the work: how far workers agree, and work that looks careless.

The server knows neither which images are controls nor who is right; that is judged by the study.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, select

from replicate.base.errors import ItemError
from replicate.crowd.answers import Answer, parse_answer
from replicate.crowdserver.page_facts import PageFacts
from replicate.crowdserver.states import DONE
from replicate.crowdserver.tables import Assignment

SECONDS_PER_IMAGE = 0.25  # faster than this nobody has looked at every image
_COLUMNS: tuple[Any, ...] = (
    Assignment.hit_id,
    Assignment.assignment_id,
    Assignment.worker_id,
    Assignment.accepted,
    Assignment.submitted,
    Assignment.answer,
)
_CHUNK = 20  # HITs whose answers are read at once
_LIST = 200  # flagged assignments that are listed


@dataclass(frozen=True)
class Flag:
    """An assignment to look at.

    Attributes:
        hit_id: Its HIT.
        assignment_id: The assignment.
        worker_id: The worker's hashed id.
        reason: Why.
    """

    hit_id: str
    assignment_id: str
    worker_id: str
    reason: str


@dataclass(frozen=True)
class HitReading:
    """What the answers of one HIT say.

    Attributes:
        class_id: The class that was asked about.
        images: Images with at least two votes.
        agreement: Sum over them of the share of pairs of workers who said the same.
        answers: Answers that could be read.
        flags: Work to look at.
    """

    class_id: str
    images: int
    agreement: float
    answers: int
    flags: tuple[Flag, ...]


@dataclass
class Summary:
    """What the answers of a batch say, as far as they were read.

    Attributes:
        read: HITs whose answers were read.
        hits: HITs that have answers.
        answers: Answers that could be read.
        classes: For each class the images with at least two votes, and the sum of agreements.
        flags: Work to look at; the first of it.
        flagged: How many assignments there are to look at, by reason.
    """

    read: int = 0
    hits: int = 0
    answers: int = 0
    classes: dict[str, tuple[int, float]] = field(default_factory=dict)
    flags: list[Flag] = field(default_factory=list)
    flagged: Counter[str] = field(default_factory=Counter)

    @property
    def images(self) -> int:
        """Images with at least two votes."""
        return sum(images for images, _ in self.classes.values())

    @property
    def agreement(self) -> float | None:
        """Mean over those images of the share of pairs who said the same; None without any."""
        total = sum(agreement for _, agreement in self.classes.values())
        return total / self.images if self.images else None

    def add(self, reading: HitReading) -> None:
        """Take one HIT in."""
        self.read += 1
        self.answers += reading.answers
        images, agreement = self.classes.get(reading.class_id, (0, 0.0))
        if reading.images:
            total = (images + reading.images, agreement + reading.agreement)
            self.classes[reading.class_id] = total
        self.flagged.update(flag.reason for flag in reading.flags)
        self.flags += reading.flags[: _LIST - len(self.flags)]


Stamp = tuple[str, int, float]  # a HIT, how many answers it has, when the last one came


class Readings:
    """Reads answers once and remembers what they say; safe to use from several threads.

    Args:
        facts: The page of a HIT.
    """

    def __init__(self, facts: Callable[[Connection, str], PageFacts]) -> None:
        self._facts = facts
        self._kept: dict[str, tuple[Stamp, HitReading]] = {}
        self._lock = threading.Lock()

    def summary(self, connection: Connection, stamps: Sequence[Stamp], seconds: float) -> Summary:
        """What the answers of some HITs say; stops after a while, to go on the next time.

        Args:
            connection: Where the answers are.
            stamps: The HITs that have answers.
            seconds: How long to read on.
        """
        end, found = time.monotonic() + seconds, Summary(hits=len(stamps))
        with self._lock:
            missing = iter([s for s in stamps if self._kept.get(s[0], (None,))[0] != s])
            while time.monotonic() < end and (chunk := list(islice(missing, _CHUNK))):
                self._read(connection, chunk)
            for stamp in stamps:
                kept = self._kept.get(stamp[0])
                if kept is not None and kept[0] == stamp:
                    found.add(kept[1])
        return found

    def _read(self, connection: Connection, chunk: list[Stamp]) -> None:
        rows: dict[str, list[Row[Any]]] = {stamp[0]: [] for stamp in chunk}
        query = select(*_COLUMNS).where(
            Assignment.hit_id.in_(list(rows)),
            Assignment.state.in_(DONE),
            Assignment.withdrawn.is_(None),
        )
        for row in connection.execute(query.order_by(Assignment.assignment_id)):
            rows[row.hit_id].append(row)
        for stamp in chunk:
            page = self._facts(connection, stamp[0])
            self._kept[stamp[0]] = (stamp, read_hit(page, rows[stamp[0]]))


def read_hit(page: PageFacts, rows: Sequence[Row[Any]]) -> HitReading:
    """What the answers of one HIT say.

    Args:
        page: Its page; without images it is none of ours, and nothing is said of it.
        rows: Its submitted assignments.
    """
    if not page.slots:
        return HitReading("", 0, 0.0, 0, ())
    yes: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    flags: list[Flag] = []
    answers = 0
    for row in rows:
        try:
            answer = parse_answer(row.answer or "")
        except ItemError as error:
            reasons = [f"cannot be read: {error.reason.replace('_', ' ')}"]
        else:
            answers += 1
            reasons = list(_reasons(answer, len(page.slots), row.submitted - row.accepted))
            shown = page.slots.keys() - set(answer.broken)
            seen.update(shown)
            yes.update(shown & set(answer.selected))
        flags += [Flag(row.hit_id, row.assignment_id, row.worker_id, why) for why in reasons]
    shares = [pair_agreement(yes[slot], n) for slot, n in seen.items() if n >= 2]
    return HitReading(page.class_id, len(shares), sum(shares), answers, tuple(flags))


def pair_agreement(yes: int, votes: int) -> float:
    """The share of pairs of workers who said the same of an image.

    Args:
        yes: How many selected it.
        votes: How many saw it; at least 2.

    >>> pair_agreement(3, 4)
    0.5
    """
    no = votes - yes
    return (yes * (yes - 1) + no * (no - 1)) / (votes * (votes - 1))


def _reasons(answer: Answer, images: int, seconds: float) -> Iterator[str]:
    chosen = len(answer.selected)
    if images > 1 and chosen == images:
        yield "selected every image"
    if images > 1 and not chosen and not answer.broken:
        yield "selected no image"
    if seconds < SECONDS_PER_IMAGE * images:
        yield "too fast to have looked"
