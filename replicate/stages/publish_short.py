"""Which images have too few valid votes, and how many they lack."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import column, func, select, table
from sqlalchemy.orm import Session

from replicate.store import queries
from replicate.store.tables import Assignment, Hit, HitImage, Vote

MIN_BROKEN = 2  # one person's word alone does not make an image broken
COUNTED = ("Submitted", "Approved")
OPEN = ("composed", "published")
_FLAGGED = table("flagged_workers", column("worker_id"))

Key = tuple[str, str]


@dataclass(frozen=True)
class Short:
    """An image with too few votes.

    Attributes:
        image_id: The image.
        class_id: The class that it was judged for.
        votes: How many valid votes it lacks, at least 1, those that may still come considered.
        pages: The numbers of the class's pages that it was to be judged on, in order.
    """

    image_id: str
    class_id: str
    votes: int
    pages: tuple[int, ...]

    @property
    def rounds(self) -> int:
        """How often it was published again already."""
        return len(self.pages) - 1


def short_images(session: Session, sent: Iterable[Hit], goal: int) -> list[Short]:
    """The published images that lack valid votes, sorted.

    A vote is valid when it counts in selection frequencies: yes or no, from work that was
    neither rejected nor withdrawn, of a worker who is not flagged. Work that is still out counts
    as votes to come. An image that more people called broken than judged, and at least two, is
    not asked about again.

    Args:
        session: An open session.
        sent: The HITs that the crowd has, or may have.
        goal: How many valid votes an image needs; 0: none.
    """
    if goal < 1:
        return []
    valid = {(row.image_id, row.class_id): row.shown for row in queries.frequencies(session)}
    broken = _broken(session)
    coming, judged = _coming_and_judged(session, {hit.hit_key: hit for hit in sent})
    found = []
    for key, numbers in judged.items():
        has = valid.get(key, 0)
        lacks = goal - has - coming[key]
        if lacks > 0 and not _is_broken(broken[key], has):
            found.append(Short(*key, votes=lacks, pages=tuple(sorted(numbers))))
    return sorted(found, key=lambda item: (item.class_id, item.image_id))


def _is_broken(broken: int, valid: int) -> bool:
    return broken >= MIN_BROKEN and broken > valid


def _broken(session: Session) -> Counter[Key]:
    """How many people, whose votes count, called each image broken."""
    rows = session.execute(
        select(Vote.image_id, Vote.class_id, func.count(Vote.worker_id.distinct()).label("n"))
        .join(Assignment, Assignment.assignment_id == Vote.assignment_id)
        .where(
            Vote.value == "broken",
            Vote.role != "repeat",
            Assignment.status.in_(COUNTED),
            Vote.worker_id.not_in(select(_FLAGGED.c.worker_id)),
        )
        .group_by(Vote.image_id, Vote.class_id)
    ).all()
    return Counter({(row.image_id, row.class_id): int(row.n) for row in rows})


def _coming_and_judged(
    session: Session, sent: dict[str, Hit]
) -> tuple[Counter[Key], dict[Key, list[int]]]:
    """By image: how many votes may still come, and on which pages it was to be judged."""
    arrived = {
        row.hit_key: row.n
        for row in session.execute(
            select(Assignment.hit_key, func.count().label("n"))
            .where(Assignment.status != "Withdrawn")
            .group_by(Assignment.hit_key)
        )
    }
    coming: Counter[Key] = Counter()
    judged: dict[Key, list[int]] = defaultdict(list)
    places = select(HitImage.hit_key, HitImage.image_id).where(
        HitImage.role.in_(("candidate", "original"))
    )
    for hit_key, image_id in session.execute(places):
        hit = sent.get(hit_key)
        if hit is None:
            continue
        judged[image_id, hit.class_id].append(hit.number)
        if hit.status in OPEN:
            coming[image_id, hit.class_id] += max(0, hit.assignments - arrived.get(hit_key, 0))
    return coming, judged
