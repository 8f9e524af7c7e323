"""What reviewers said, and what follows from it: near-duplicates, excluded images, the horizon.

Reviews are kept by image, not by set or by pool: they carry over to whatever holds the same
images later.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from replicate.store.safety import REVIEWER, report_unsafe
from replicate.store.tables import (
    DuplicatePair,
    DuplicateVerdict,
    Image,
    SafetyFlag,
    SetReview,
)
from replicate.store.takedowns import taken_down

SAME, DIFFERENT, UNSURE, WITHDRAWN = "same", "different", "unsure", "withdrawn"
OK, EXCLUDE = "ok", "exclude"
PAIR_VERDICTS = (SAME, DIFFERENT, UNSURE)
FLAGS = ("wrong_class", "ambiguous", "near_duplicate", "offensive", "not_a_photo")
When = Literal["any", "majority", "all"]
Pair = tuple[str, str]  # reference id, candidate id
Item = tuple[str, str]  # image id, class id


@dataclass(frozen=True)
class Given:
    """What one reviewer said of one thing.

    Attributes:
        reviewer: Who.
        verdict: What.
        at: When, UTC.
        flags: Of an image: the reasons.
        note: Of an image: what the reviewer wrote.
    """

    reviewer: str
    verdict: str
    at: datetime
    flags: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class History:
    """All that was said of one thing.

    Attributes:
        first: By reviewer, the first verdict: given before others' could be seen.
        latest: By reviewer, the verdict that counts; who took theirs back is not there.
    """

    first: Mapping[str, Given]
    latest: Mapping[str, Given]

    @property
    def standing(self) -> list[Given]:
        """What counts, by reviewers' names."""
        return [self.latest[name] for name in sorted(self.latest)]

    @property
    def verdicts(self) -> list[str]:
        """The verdicts that count, by reviewers' names."""
        return [given.verdict for given in self.standing]

    @property
    def disagreement(self) -> bool:
        """Whether those who looked at it do not all say the same."""
        return len(set(self.verdicts)) > 1

    def seen_by(self, reviewer: str) -> list[Given]:
        """What a reviewer may see of others: nothing, before they say something themselves."""
        if reviewer not in self.latest:
            return []
        return [given for given in self.standing if given.reviewer != reviewer]


@dataclass(frozen=True)
class Horizon:
    """How far a candidate's pairs were looked at, the nearest first.

    Attributes:
        distance: Every pair nearer than this was looked at by enough reviewers: the pixel
            distance of the nearest that was not; infinite when all were.
        pairs: How many pairs the candidate has.
        looked: How many of them enough reviewers looked at.
    """

    distance: float
    pairs: int
    looked: int


def add_verdict(session: Session, pair: Pair, given: Given) -> None:
    """Write down what a reviewer said of a pair."""
    session.add(
        DuplicateVerdict(
            reference_id=pair[0],
            candidate_id=pair[1],
            reviewer=given.reviewer,
            verdict=given.verdict,
            at=given.at,
        )
    )


def add_review(session: Session, item: Item, given: Given, set_name: str, revision: int) -> None:
    """Write down what a reviewer said of an image as a picture of its class.

    Who finds it offensive also reports that it is unsafe, until they take that back.
    """
    if "offensive" in given.flags:
        report_unsafe(session, [item[0]], given.reviewer, REVIEWER, given.at, given.note)
    else:
        own = (SafetyFlag.image_id == item[0], SafetyFlag.flagged_by == given.reviewer)
        session.execute(delete(SafetyFlag).where(*own, SafetyFlag.source == REVIEWER))
    session.add(
        SetReview(
            image_id=item[0],
            class_id=item[1],
            reviewer=given.reviewer,
            verdict=given.verdict,
            flags=list(given.flags),
            note=given.note,
            set_name=set_name,
            revision=revision,
            at=given.at,
        )
    )


def said_of_pairs(session: Session) -> list[tuple[Pair, Given]]:
    """All that was ever said of pairs, the first first."""
    rows = session.scalars(select(DuplicateVerdict).order_by(DuplicateVerdict.verdict_id))
    return [
        ((row.reference_id, row.candidate_id), Given(row.reviewer, row.verdict, _utc(row.at)))
        for row in rows
    ]


def said_of_items(session: Session) -> list[tuple[Item, Given]]:
    """All that was ever said of images of sets, the first first."""
    rows = session.scalars(select(SetReview).order_by(SetReview.review_id))
    return [
        (
            (row.image_id, row.class_id),
            Given(row.reviewer, row.verdict, _utc(row.at), tuple(row.flags), row.note),
        )
        for row in rows
    ]


def pair_histories(session: Session) -> dict[Pair, History]:
    """All that was said of every pair that somebody looked at."""
    return histories(said_of_pairs(session))


def item_histories(session: Session) -> dict[Item, History]:
    """All that was said of every (image, class) that somebody looked at."""
    return histories(said_of_items(session))


def histories(said: Iterable[tuple[tuple[str, str], Given]]) -> dict[tuple[str, str], History]:
    """What was said, by what it was said of."""
    found: dict[tuple[str, str], list[Given]] = {}
    for key, given in said:
        found.setdefault(key, []).append(given)
    return {key: history_of(each) for key, each in found.items()}


def history_of(said: Iterable[Given]) -> History:
    """What was said of one thing, the first first."""
    first: dict[str, Given] = {}
    latest: dict[str, Given] = {}
    for given in said:
        if given.verdict == WITHDRAWN:
            latest.pop(given.reviewer, None)
        else:
            first.setdefault(given.reviewer, given)
            latest[given.reviewer] = given
    return History(first, latest)


def together(found: Sequence[str], yes: str, when: When, least: int = 1) -> bool:
    """Whether reviewers say `yes` together.

    Args:
        found: What each of them says.
        yes: The verdict that is asked about.
        when: ``any``: one of them is enough, at once. ``majority``: more than half of those who
            looked. ``all``: all who looked. The last two wait until `least` people have looked.
        least: How many reviewers are wanted.

    >>> together(["same", "different"], "same", "majority")
    False
    >>> together(["same", "same", "unsure"], "same", "majority", least=2)
    True
    """
    count = sum(verdict == yes for verdict in found)
    if when == "any" or not count:
        return count > 0
    if len(found) < least:
        return False
    return count == len(found) if when == "all" else 2 * count > len(found)


def verdicts(session: Session, when: When = "majority", least: int = 1) -> dict[Pair, str]:
    """What reviewers say together of each pair that somebody looked at.

    Args:
        session: An open session.
        when: How many must say ``same``, as `together` has it: ``[review] duplicate_when``.
        least: How many must look at a pair: ``[review] reviewers``.

    Returns:
        By (reference id, candidate id): ``same``: a near-duplicate, whatever the pixels say;
        ``different``: none, whatever the pixels say; ``unsure``: reviewers do not decide it.
    """
    found = {}
    for pair, history in pair_histories(session).items():
        said = history.verdicts
        if not said:
            continue
        if together(said, SAME, when, least):
            found[pair] = SAME
        else:
            # Under "any" one who says the same is enough, so all others must say different.
            other: When = "majority" if when == "majority" else "all"
            found[pair] = DIFFERENT if together(said, DIFFERENT, other, least) else UNSURE
    return found


def excluded(session: Session, when: When = "majority", least: int = 1) -> dict[Item, str]:
    """The (image, class) that reviewers want in no later revision, each with the reason.

    Args:
        session: An open session.
        when: How many must say so, as `together` has it: ``[review] exclude_when``.
        least: How many must look at an image: ``[review] reviewers``.

    Returns:
        By (image id, class id): the reason that most of them gave; ties go to the first in
        `FLAGS`.
    """
    return {
        item: main_flag(history)
        for item, history in sorted(item_histories(session).items())
        if together(history.verdicts, EXCLUDE, when, least)
    }


def main_flag(history: History) -> str:
    """The reason that most of those who exclude an image gave."""
    counts = Counter(
        flag
        for given in history.latest.values()
        if given.verdict == EXCLUDE
        for flag in given.flags
    )
    return max(FLAGS, key=lambda flag: (counts[flag], -FLAGS.index(flag)))


# Of a file of hashes there are no images to look at.
VISIBLE = DuplicatePair.reference_id.in_(select(Image.image_id))


def horizons(session: Session, least: int = 1) -> dict[str, Horizon]:
    """The review horizon of every candidate that has a pair at all.

    Args:
        session: An open session.
        least: How many reviewers must have looked at a pair.

    Returns:
        By candidate id. A candidate that is not there has no pair to look at.
    """
    histories = pair_histories(session)
    distances: dict[str, list[tuple[float, bool]]] = {}
    gone = taken_down(session)
    for row in session.scalars(select(DuplicatePair).where(VISIBLE)):
        if row.reference_id in gone or row.candidate_id in gone:
            continue  # nobody can look at it any more
        history = histories.get((row.reference_id, row.candidate_id))
        looked = history is not None and len(history.latest) >= least
        # A pair without a distance is taken for the nearest: nothing is known of it.
        distance = -1.0 if row.pixel_distance is None else row.pixel_distance
        distances.setdefault(row.candidate_id, []).append((distance, looked))
        if row.reference_set == "candidates":
            distances.setdefault(row.reference_id, []).append((distance, looked))
    return {image_id: horizon(pairs) for image_id, pairs in sorted(distances.items())}


def horizon(pairs: Iterable[tuple[float, bool]]) -> Horizon:
    """The review horizon of one candidate.

    Args:
        pairs: Of each pair the distance, and whether enough reviewers looked at it.

    >>> horizon([(0.1, True), (0.3, False), (0.2, True)])
    Horizon(distance=0.3, pairs=3, looked=2)
    """
    known = list(pairs)
    nearest = min((distance for distance, done in known if not done), default=math.inf)
    return Horizon(nearest, len(known), sum(done for _, done in known))


def _utc(time: datetime) -> datetime:
    """SQLite gives times back without their zone, which is UTC."""
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
