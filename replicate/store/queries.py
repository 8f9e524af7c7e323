"""Questions that several stages ask of the store; answers are plain records, in a fixed order."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import column, func, select, table
from sqlalchemy.orm import Session

from replicate.base.digests import digest_rows
from replicate.store.safety import held
from replicate.store.tables import (
    Candidate,
    DedupDecision,
    Prediction,
    PreparedImage,
    SetImage,
    TestSet,
    TestSetImage,
    Vote,
)
from replicate.store.takedowns import TAKEN_DOWN, taken_down

FREQUENCIES = table(
    "selection_frequencies",
    column("image_id"),
    column("class_id"),
    column("selected"),
    column("shown"),
)
_ACCEPTED = table("accepted_images", column("image_id"), column("class_id"))
_COUNTED = table(
    "counted_votes",
    column("image_id"),
    column("class_id"),
    column("worker_id"),
    column("value"),
)
_VOTES = 10_000  # fetched at a time


@dataclass(frozen=True, order=True)
class Member:
    """One (image, class) of a set or of the pool."""

    image_id: str
    class_id: str


@dataclass(frozen=True)
class Frequency:
    """How often an image was selected for a class, among the votes that count."""

    image_id: str
    class_id: str
    selected: int
    shown: int


def set_members(session: Session, set_name: str) -> list[Member]:
    """The readable images of the original, the train set or a control, in the set's order.

    An image that is in a set twice counts once.
    """
    rows = session.execute(
        select(SetImage.image_id, SetImage.class_id)
        .where(SetImage.set_name == set_name, SetImage.status == "ok")
        .order_by(SetImage.position, SetImage.name)
    ).all()
    return list(dict.fromkeys(Member(row.image_id, row.class_id) for row in rows))


def set_names(session: Session, set_name: str) -> dict[Member, str]:
    """What the images of the original, the train set or a control are called there.

    An image that is in a set twice has the name of its first place.
    """
    rows = session.execute(
        select(SetImage.image_id, SetImage.class_id, SetImage.name)
        .where(SetImage.set_name == set_name, SetImage.status == "ok")
        .order_by(SetImage.position.desc(), SetImage.name.desc())
    ).all()
    return {Member(row.image_id, row.class_id): row.name for row in rows}


def newest_revision(session: Session, name: str) -> TestSet | None:
    """The newest revision of a test set; None if it was never drawn."""
    return session.scalars(
        select(TestSet).where(TestSet.name == name).order_by(TestSet.revision.desc()).limit(1)
    ).first()


def members_of_test_set(session: Session, name: str, revision: int) -> list[Member]:
    """The images of one revision of a test set, in its order."""
    rows = session.execute(
        select(TestSetImage.image_id, TestSetImage.class_id)
        .where(TestSetImage.name == name, TestSetImage.revision == revision)
        .order_by(TestSetImage.position)
    ).all()
    return [Member(row.image_id, row.class_id) for row in rows]


def prepared_ids(
    session: Session, steps: str, *, erased: bool = False
) -> dict[str, tuple[str, str]]:
    """By image id: the digests of the prepared bytes and of the display copy.

    Args:
        session: An open session.
        steps: How they were prepared.
        erased: Also of images whose files were deleted since, by a takedown.
    """
    done = PreparedImage.status == "ok"
    if erased:
        done |= PreparedImage.reason == TAKEN_DOWN
    rows = session.execute(
        select(PreparedImage.image_id, PreparedImage.prepared_id, PreparedImage.display_id).where(
            PreparedImage.steps == steps, done
        )
    ).all()
    return {row.image_id: (row.prepared_id, row.display_id) for row in rows}


def withheld(session: Session) -> set[str]:
    """The images that are shown to nobody and put into no new set: taken down, or held."""
    return taken_down(session) | held(session)


def visible_ids(session: Session, steps: str) -> dict[str, tuple[str, str]]:
    """As `prepared_ids`, without the images that are to be shown to nobody."""
    hidden = withheld(session)
    return {
        image_id: digests
        for image_id, digests in prepared_ids(session, steps).items()
        if image_id not in hidden
    }


def gathered(session: Session) -> list[Member]:
    """The candidates whose files are here, before near-duplicates are removed; sorted."""
    rows = session.execute(
        select(Candidate.image_id, Candidate.class_id).where(Candidate.status == "ok").distinct()
    ).all()
    return sorted(Member(row.image_id, row.class_id) for row in rows)


def pool(session: Session) -> list[Member]:
    """The candidate pool: what the search for near-duplicates left; sorted.

    Images that were taken down, or are held because somebody reported them, are not in it.
    """
    rows = session.execute(
        select(DedupDecision.image_id, DedupDecision.class_id).where(DedupDecision.keep)
    ).all()
    hidden = withheld(session)
    return sorted(Member(row.image_id, row.class_id) for row in rows if row.image_id not in hidden)


def accepted(session: Session) -> set[Member]:
    """In expert mode: the images that all experts accept in the last round they were shown in."""
    rows = session.execute(select(_ACCEPTED)).all()
    return {Member(row.image_id, row.class_id) for row in rows}


def frequencies(session: Session) -> list[Frequency]:
    """Selection counts of every (image, class) with a vote that counts; sorted."""
    rows = session.execute(
        select(FREQUENCIES).order_by(FREQUENCIES.c.image_id, FREQUENCIES.c.class_id)
    ).all()
    return [Frequency(r.image_id, r.class_id, int(r.selected), int(r.shown)) for r in rows]


def counted_votes(session: Session) -> Iterator[tuple[str, str, str, bool]]:
    """Every vote that counts: (image id, class id, worker id, yes), in any order.

    There may be millions: they are handed on as they come.
    """
    columns = _COUNTED.c
    rows = session.execute(
        select(columns.image_id, columns.class_id, columns.worker_id, columns.value == "yes"),
        execution_options={"yield_per": _VOTES},
    )
    for image_id, class_id, worker_id, yes in rows:
        yield image_id, class_id, worker_id, bool(yes)


def votes_digest(session: Session) -> str | None:
    """The digest of all votes, whoever gave them and whenever; None if there are none."""
    rows = session.execute(
        select(
            Vote.image_id, Vote.class_id, Vote.role, Vote.value, func.count().label("n")
        ).group_by(Vote.image_id, Vote.class_id, Vote.role, Vote.value)
    ).all()
    return digest_rows([list(row) for row in rows]) if rows else None


def predictions_digest(session: Session) -> str | None:
    """The digest of all predictions of the zoo; None if there are none."""
    rows = session.execute(
        select(
            Prediction.model,
            Prediction.set_name,
            Prediction.set_digest,
            Prediction.predictions_digest,
        ).where(Prediction.status == "ok")
    ).all()
    return digest_rows([list(row) for row in rows]) if rows else None


def set_digests(session: Session) -> dict[str, str]:
    """The digest of the newest revision of every test set, by name."""
    rows = session.execute(
        select(TestSet.name, TestSet.digest).order_by(TestSet.name, TestSet.revision)
    ).all()
    return {row.name: row.digest for row in rows}


def members_digest(members: list[Member]) -> str:
    """The digest of a set that is not a drawn test set (the original, a control)."""
    return digest_rows([[member.image_id, member.class_id] for member in members])
