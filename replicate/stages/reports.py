"""Images that somebody reported as unsafe: reporting, listing, and looking at them."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from replicate.base.clock import Clock, SystemClock
from replicate.base.errors import UsageError
from replicate.base.files import write_bytes
from replicate.stages.batches import user_name
from replicate.stages.takedown_names import meant
from replicate.store import queries
from replicate.store.safety import REVIEWER, let_stay, report_unsafe, reported
from replicate.store.tables import Image
from replicate.store.takedowns import IMAGE, taken_down
from replicate.study import Study


def flag_images(
    study: Study,
    things: Sequence[str],
    reason: str,
    reviewer: str | None = None,
    clock: Clock | None = None,
) -> list[str]:
    """A reviewer reports images.

    Args:
        study: The study.
        things: The images, named as in `replicate.stages.takedowns.add`.
        reason: What is wrong with them.
        reviewer: Who says so; None: the user.
        clock: Where the time comes from.

    Returns:
        Their ids.

    Raises:
        UsageError: There is no such image.
    """
    now = (clock or SystemClock()).now()
    with study.session() as session:
        images = _images(session, things)
        report_unsafe(session, images, reviewer or user_name(), REVIEWER, now, reason)
    return images


def keep_images(
    study: Study, things: Sequence[str], note: str = "", clock: Clock | None = None
) -> list[str]:
    """Somebody has looked at reported images, and they may stay.

    Returns:
        Their ids.

    Raises:
        UsageError: There is no such image, or nobody reported it.
    """
    now = (clock or SystemClock()).now()
    with study.session() as session:
        images = _images(session, things)
        known = {row.image_id for row in reported(session)}
        if strange := [image for image in images if image not in known]:
            raise UsageError(
                f"Nobody reported the image {strange[0][:16]}.",
                "Show those that were: replicate takedown reported",
            )
        for image_id in images:
            let_stay(session, image_id, user_name(), note, now)
    return images


def reported_images(study: Study) -> list[dict[str, Any]]:
    """Every image that somebody reported and that was not taken down, as JSON values."""
    with study.session() as session:
        down = taken_down(session)
        return [
            {
                **asdict(row),
                "first": row.first.isoformat(timespec="seconds"),
                "reviewers": list(row.reviewers),
                "reasons": list(row.reasons),
            }
            for row in reported(session)
            if row.image_id not in down
        ]


def write_copies(study: Study, images: Sequence[str], folder: Path) -> None:
    """Write the copies that workers saw of some images into a folder, named by image id."""
    with study.session() as session:
        ids = queries.prepared_ids(session, study.steps)
    for image_id in images:
        if image_id in ids and ids[image_id][1] is not None:
            data = study.displays.get(ids[image_id][1])
            suffix = ".jpg" if data.startswith(b"\xff\xd8") else ".png"
            write_bytes(folder / f"{image_id}{suffix}", data)


def _images(session: Session, things: Sequence[str]) -> list[str]:
    images = list(dict.fromkeys(meant(session, thing, IMAGE)[1] for thing in things))
    for image_id in images:
        if session.get(Image, image_id) is None:
            raise UsageError(f"This study has no image {image_id[:16]}.")
    return images
