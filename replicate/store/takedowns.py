"""The takedown list in the store: which images it names, whatever it names them by."""

import re
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from replicate.store.ethics_tables import Takedown
from replicate.store.tables import Candidate

IMAGE, ADDRESS, OWNER = "image", "address", "owner"
TAKEN_DOWN = "taken_down"  # the state of candidates that are not to be fetched

# A photo's id in the address of its page, and in that of its file, whatever the size.
_FLICKR = re.compile(
    r"flickr\.com/(?:photos/[^/]+/(\d+)|(?:\d+/)?(\d+)_[0-9a-f]+(?:_[a-z0-9]+)?\.)", re.IGNORECASE
)
_CHUNK = 300  # of ids in one statement


def taken_down(session: Session) -> set[str]:
    """The ids of all images that are to be used no more.

    Addresses and owners count for candidates that were gathered after they were entered, too.
    """
    entries = in_force(session)
    found = {entry.value for entry in entries if entry.kind == IMAGE}
    if conditions := [matches(entry.kind, entry.value) for entry in entries if entry.kind != IMAGE]:
        for start in range(0, len(conditions), _CHUNK):
            rows = session.scalars(
                select(Candidate.image_id).where(
                    Candidate.image_id.is_not(None), or_(*conditions[start : start + _CHUNK])
                )
            )
            found.update(image_id for image_id in rows if image_id is not None)
    return found


def in_force(session: Session) -> list[Takedown]:
    """The entries that were not lifted, the first one first."""
    return list(
        session.scalars(
            select(Takedown)
            .where(Takedown.lifted_at.is_(None))
            .order_by(Takedown.at, Takedown.kind, Takedown.value)
        )
    )


def matches(kind: str, value: str) -> ColumnElement[bool]:
    """The condition on `candidates` that an entry stands for.

    Addresses are the same with and without TLS and a slash at the end; a Flickr photo is the same
    by the address of its page and by those of its files in any size.
    """
    if kind == IMAGE:
        return Candidate.image_id == value
    if kind == OWNER:
        return or_(
            Candidate.owner == value,
            Candidate.owner_id == value,
            Candidate.page_url.contains(f"/photos/{value}/", autoescape=True),
        )
    forms = _forms(value)
    same = or_(Candidate.url.in_(forms), Candidate.page_url.in_(forms))
    if photo := _FLICKR.search(value):
        by_id = and_(Candidate.source == "flickr", Candidate.source_id == (photo[1] or photo[2]))
        return or_(same, by_id)
    return same


def mark_candidates(session: Session) -> None:
    """Candidates that an entry names and that are not here are not to be fetched."""
    for entry in in_force(session):
        session.execute(
            update(Candidate)
            .where(Candidate.status.in_(("found", "failed")), matches(entry.kind, entry.value))
            .values(status=TAKEN_DOWN, reason=TAKEN_DOWN)
        )


def enter(
    session: Session,
    kind: str,
    values: Iterable[str],
    reason: str,
    requested_by: str | None,
    at: datetime,
) -> list[Takedown]:
    """Enter values of one kind; what is in force already keeps its first reason and time.

    Returns:
        The entries, in the order of the values.
    """
    found = []
    for value in dict.fromkeys(values):
        row = session.get(Takedown, (kind, value))
        if row is None:
            row = Takedown(kind=kind, value=value)
            session.add(row)
        if row.at is None or row.lifted_at is not None:
            row.reason, row.requested_by, row.at, row.lifted_at = reason, requested_by, at, None
        found.append(row)
    session.flush()
    mark_candidates(session)
    return found


def _forms(address: str) -> list[str]:
    bare = re.sub(r"^https?://", "", address).rstrip("/")
    if bare == address.rstrip("/"):  # an address on the local Flickr, or a file's name
        return sorted({address, bare, f"{bare}/"})
    return [f"{scheme}://{bare}{end}" for scheme in ("http", "https") for end in ("", "/")]
