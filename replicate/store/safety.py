"""Reports that an image is unsafe (offensive, or private), and which images are held for them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import column, delete, or_, select, table
from sqlalchemy.orm import Session

from replicate.store.tables import Assignment, Rule, SafetyCheck, SafetyFlag

WORKER, REVIEWER = "worker", "reviewer"
RULE = "hold_reported"  # the key of [label] that says how many workers' reports hold an image
_COUNTED = ("Submitted", "Approved")
_FLAGGED = table("flagged_workers", column("worker_id"))


@dataclass(frozen=True)
class Reported:
    """An image that somebody reported.

    Attributes:
        image_id: The image.
        workers: How many workers reported it.
        reviewers: The reviewers who did, sorted.
        reasons: What was said, each once, the first one first.
        first: When it was first reported.
        checked_by: Who looked at it since and lets it stay; None: nobody.
        note: What that person wrote.
        held: Whether it is left out of pages and sets until somebody has looked at it.
    """

    image_id: str
    workers: int
    reviewers: tuple[str, ...]
    reasons: tuple[str, ...]
    first: datetime
    checked_by: str | None
    note: str
    held: bool


def report_unsafe(
    session: Session,
    image_ids: Iterable[str],
    flagged_by: str,
    source: str,
    at: datetime,
    reason: str = "",
    assignment_id: str | None = None,
) -> int:
    """Write reports down; whoever reported an image before does not report it twice.

    A reviewer who reports again an image that was let stay in between is heard again.

    Args:
        session: An open session.
        image_ids: The images.
        flagged_by: The worker, as a keyed hash, or the reviewer's name.
        source: ``worker`` or ``reviewer``.
        at: When.
        reason: What is wrong with them; may be empty.
        assignment_id: The worker's page.

    Returns:
        How many reports are new.
    """
    new = 0
    for image_id in dict.fromkeys(image_ids):
        row = session.get(SafetyFlag, (image_id, flagged_by))
        if row is None:
            row = SafetyFlag(image_id=image_id, flagged_by=flagged_by, assignment_id=assignment_id)
            session.add(row)
            new += 1
        elif source == WORKER:
            continue
        row.source, row.reason, row.at = source, reason, at
    session.flush()
    return new


def forget_reports(session: Session, assignment_ids: Iterable[str]) -> None:
    """Delete what was reported on pages whose workers took their work back."""
    names = list(assignment_ids)
    if names:
        session.execute(delete(SafetyFlag).where(SafetyFlag.assignment_id.in_(names)))


def let_stay(session: Session, image_id: str, checked_by: str, note: str, at: datetime) -> None:
    """Somebody has looked at a reported image, and it may stay."""
    row = session.get(SafetyCheck, image_id)
    if row is None:
        row = SafetyCheck(image_id=image_id)
        session.add(row)
    row.checked_by, row.note, row.at = checked_by, note, at
    session.flush()


def held(session: Session) -> set[str]:
    """The images that are left out of pages and sets until somebody has looked at them.

    Those are the images that a reviewer reported, and those that as many workers reported as
    `[label] hold_reported` says. Workers whose votes do not count are not heard. Once somebody
    has looked at an image, only what reviewers report later counts.
    """
    return {row.image_id for row in reported(session) if row.held}


def reported(session: Session) -> list[Reported]:
    """Every image that somebody reported, held ones first, then the first reported first."""
    rows = session.scalars(
        select(SafetyFlag)
        .outerjoin(Assignment, Assignment.assignment_id == SafetyFlag.assignment_id)
        .where(
            or_(
                SafetyFlag.assignment_id.is_(None), Assignment.status.in_(("Submitted", "Approved"))
            ),
            SafetyFlag.flagged_by.not_in(select(_FLAGGED.c.worker_id)),
        )
        .order_by(SafetyFlag.at, SafetyFlag.image_id, SafetyFlag.flagged_by)
    ).all()
    if not rows:
        return []
    needed = session.scalar(select(Rule.value).where(Rule.name == RULE)) or 0
    checks = {row.image_id: row for row in session.scalars(select(SafetyCheck))}
    flags: dict[str, list[SafetyFlag]] = defaultdict(list)
    for row in rows:
        flags[row.image_id].append(row)
    found = [
        _reported(image_id, flags[image_id], checks.get(image_id), needed) for image_id in flags
    ]
    return sorted(found, key=lambda item: (not item.held, item.first, item.image_id))


def _reported(
    image_id: str, flags: list[SafetyFlag], check: SafetyCheck | None, needed: float
) -> Reported:
    workers = sum(flag.source == WORKER for flag in flags)
    reviews = [flag for flag in flags if flag.source == REVIEWER]
    if check is None:
        held_now = bool(reviews) or 0 < needed <= workers
    else:
        held_now = any(_utc(flag.at) > _utc(check.at) for flag in reviews)
    return Reported(
        image_id=image_id,
        workers=workers,
        reviewers=tuple(sorted(flag.flagged_by for flag in reviews)),
        reasons=tuple(dict.fromkeys(flag.reason for flag in flags if flag.reason)),
        first=_utc(flags[0].at),
        checked_by=None if check is None else check.checked_by,
        note="" if check is None else check.note,
        held=held_now,
    )


def _utc(time: datetime) -> datetime:
    """SQLite gives times back without their zone, which is UTC."""
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
