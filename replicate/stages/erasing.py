"""Deleting the files of images that were taken down; their rows stay and say what became of it."""

from collections.abc import Iterable, Sequence, Set
from typing import Protocol

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from replicate.stages.kept_features import KeptFeatures
from replicate.stages.takedown_names import images_of
from replicate.store.tables import Candidate, PreparedImage, SetImage, Takedown
from replicate.store.takedowns import TAKEN_DOWN, mark_candidates, matches, taken_down
from replicate.study import Study

_CHUNK = 500


class Deletable(Protocol):
    """What keeps something of images by a digest."""

    def delete(self, digest: str, /) -> bool:
        """Delete what is kept under a digest; whether there was something."""


def erase_images(
    study: Study, session: Session, images: Iterable[str], down: Set[str]
) -> list[tuple[Deletable, str]]:
    """Write down that the files of some images are gone, and say which files to delete.

    Prepared bytes and display copies can be the same for different images (two scans of one
    digit): what an image that was not taken down needs is not deleted.

    Args:
        study: The study.
        session: An open session; commit it before the files are deleted.
        images: The images.
        down: All images that were taken down.

    Returns:
        Each file's store and digest: the gathered files, prepared bytes and display copies, and
        the features of prepared bytes.
    """
    ids = sorted(images)
    files: list[tuple[Deletable, str]] = [(study.images, image_id) for image_id in ids]
    prepared: set[str] = set()
    displays: set[str] = set()
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        for row in session.scalars(select(PreparedImage).where(PreparedImage.image_id.in_(chunk))):
            prepared |= {row.prepared_id} if row.prepared_id else set()
            displays |= {row.display_id} if row.display_id else set()
        for table, status in (
            (PreparedImage, "failed"),
            (SetImage, "failed"),
            (Candidate, TAKEN_DOWN),
        ):
            session.execute(
                update(table)
                .where(table.image_id.in_(chunk))
                .values(status=status, reason=TAKEN_DOWN)
            )
    needed = _needed(session, down)
    files += [(study.prepared, digest) for digest in sorted(prepared - needed)]
    features = KeptFeatures(study)
    files += [(features, digest) for digest in sorted(prepared - needed)]
    files += [(study.displays, digest) for digest in sorted(displays - needed)]
    return files


def erase_returned(study: Study) -> int:
    """Delete files again that were deleted and have come back, from another address or a set.

    Returns:
        How many files were deleted.
    """
    with study.session() as session:
        gone = session.scalars(
            select(Takedown).where(Takedown.erased_at.is_not(None), Takedown.lifted_at.is_(None))
        ).all()
        images = images_of(session, gone) if gone else set()
        back = set(images) - set(study.images.missing(sorted(images)))
        files = erase_images(study, session, back, taken_down(session)) if back else []
    return sum(store.delete(digest) for store, digest in files)


def bring_back(session: Session, rows: Sequence[Takedown]) -> None:
    """After entries were lifted: what was deleted for them is to be fetched and prepared again."""
    down = taken_down(session)
    for image_id in images_of(session, rows) - down:
        session.execute(
            delete(PreparedImage).where(
                PreparedImage.image_id == image_id, PreparedImage.reason == TAKEN_DOWN
            )
        )
    for row in rows:
        session.execute(
            update(Candidate)
            .where(Candidate.status == TAKEN_DOWN, matches(row.kind, row.value))
            .values(status="found", reason=None)
        )
    mark_candidates(session)


def _needed(session: Session, down: Set[str]) -> set[str]:
    """The digests of prepared bytes and display copies of the images that stay."""
    rows = session.execute(
        select(PreparedImage.image_id, PreparedImage.prepared_id, PreparedImage.display_id)
    )
    found: set[str] = set()
    for image_id, prepared_id, display_id in rows:
        if image_id not in down:
            found |= {digest for digest in (prepared_id, display_id) if digest}
    return found
