"""gather, first part: the original, its train set and the control sets come into the store."""

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from replicate.base.digests import sha256_bytes
from replicate.base.errors import ItemError, UsageError
from replicate.base.images import decode
from replicate.sources.original import load_original
from replicate.sources.records import OriginalImage
from replicate.stages.common import Context, Tally
from replicate.store.tables import Image, SetImage
from replicate.store.takedowns import TAKEN_DOWN, taken_down
from replicate.study import Study

_CHUNK = 500


def named_sets(study: Study) -> list[tuple[str, str]]:
    """Name and place of the original, its train set and the controls, in this order."""
    original = study.pipeline.original
    found = [("original", original.test)]
    if original.train is not None:
        found.append(("train", original.train))
    return found + [(control.name, control.images) for control in study.pipeline.control]


def gather_sets(context: Context, tally: Tally) -> None:
    """Store every set that is not there yet; each set comes in one transaction.

    Raises:
        UsageError: A set is not there, or a class has no image in the original.
    """
    for name, place in named_sets(context.study):
        with context.study.session() as session:
            rows = session.execute(
                select(SetImage.status, SetImage.reason).where(SetImage.set_name == name)
            ).all()
        again = any(row.status == "failed" and context.retries(row.reason) for row in rows)
        if rows and not again:
            tally.skipped += len(rows)
            continue
        context.progress(f"reading the set {name}")
        _gather_set(context.study, name, place, tally)


def _gather_set(study: Study, name: str, place: str, tally: Tally) -> None:
    spec = place if place.startswith("digits:") else str(study.root / Path(place).expanduser())
    known = {item.class_id for item in study.classes}
    rows: list[dict[str, object]] = []
    images: dict[str, dict[str, object]] = {}
    with study.session() as session:
        down = taken_down(session)
    for position, item in enumerate(load_original(spec, study.pipeline.original.limit_per_class)):
        row: dict[str, object] = {"set_name": name, "position": position, "reason": None}
        if isinstance(item, ItemError):
            row |= _failed(item)
            tally.failed[item.reason] += 1
        elif item.class_id not in known:
            continue
        elif down and (image_id := sha256_bytes(item.data)) in down:
            tally.failed[TAKEN_DOWN] += 1
            row |= {"name": item.name, "class_id": item.class_id, "status": "failed"}
            row |= {"reason": TAKEN_DOWN, "image_id": image_id}
        else:
            image = _stored(study, item)
            images[str(image["image_id"])] = image
            row |= {"name": item.name, "class_id": item.class_id, "status": "ok"}
            row["image_id"] = image["image_id"]
            tally.done += 1
        rows.append(row)
    if name == "original":
        _check_classes(study, {str(row["class_id"]) for row in rows}, place)
    with study.session() as session:
        session.execute(delete(SetImage).where(SetImage.set_name == name))
        insert_images(session, images.values())
        for start in range(0, len(rows), _CHUNK):
            session.execute(insert(SetImage), rows[start : start + _CHUNK])


def _failed(item: ItemError) -> dict[str, object]:
    name = str(item).partition(": ")[0]
    return {
        "name": name,
        "class_id": name.partition("/")[0],
        "status": "failed",
        "reason": item.reason,
        "image_id": None,
    }


def _stored(study: Study, item: OriginalImage) -> dict[str, object]:
    width, height = decode(item.data).size
    return image_row(study.images.put(item.data), (width, height), len(item.data))


def image_row(image_id: str, size: tuple[int, int], n_bytes: int) -> dict[str, object]:
    """One row of the table of images."""
    return {"image_id": image_id, "width": size[0], "height": size[1], "n_bytes": n_bytes}


def insert_images(session: Session, rows: Iterable[dict[str, object]]) -> None:
    """Insert images that are not in the table yet."""
    pending = iter(rows)
    while chunk := {str(row["image_id"]): row for row in islice(pending, _CHUNK)}:
        there = set(
            session.scalars(select(Image.image_id).where(Image.image_id.in_(sorted(chunk))))
        )
        if new := [row for image_id, row in chunk.items() if image_id not in there]:
            session.execute(insert(Image), new)


def _check_classes(study: Study, found: set[str], place: str) -> None:
    missing = [item.class_id for item in study.classes if item.class_id not in found]
    if missing:
        raise UsageError(
            f"The original test set {place} has no images of "
            f"{len(missing)} of {len(study.classes)} classes: {', '.join(missing[:10])}.",
            "The ids in [[class]] must be the names of its class folders.",
        )
