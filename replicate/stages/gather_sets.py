"""gather, first part: the original, its train set and the control sets come into the store."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from replicate.base.digests import sha256_bytes
from replicate.base.errors import UsageError
from replicate.base.images import decode
from replicate.sources.class_names import ClassNames, read_class_map
from replicate.sources.original import UnreadableImageError, labels_of, limited, load_original
from replicate.sources.records import OriginalImage
from replicate.stages.common import Context, Tally
from replicate.store.tables import Image, SetImage
from replicate.store.takedowns import TAKEN_DOWN, taken_down
from replicate.study import Study
from replicate.zoo import torchvision_sets
from replicate.zoo.torchvision_sets import PREFIX

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
    read = _Reader(study, name, place)
    tally.notes += read.names.check(read.labels)
    rows: list[dict[str, object]] = []
    images: dict[str, dict[str, object]] = {}
    with study.session() as session:
        down = taken_down(session)
    for position, item in enumerate(read.items()):
        label = item.label if isinstance(item, UnreadableImageError) else item.class_id
        class_id = read.names.class_of(label)
        if class_id is None:
            continue
        row: dict[str, object] = {"set_name": name, "name": item.name, "class_id": class_id}
        row |= {"position": position, "status": "ok", "reason": None, "image_id": None}
        if isinstance(item, UnreadableImageError):
            row |= {"status": "failed", "reason": item.reason}
            tally.failed[item.reason] += 1
        elif down and (image_id := sha256_bytes(item.data)) in down:
            row |= {"status": "failed", "reason": TAKEN_DOWN, "image_id": image_id}
            tally.failed[TAKEN_DOWN] += 1
        else:
            image = _stored(study, item)
            images[str(image["image_id"])] = image
            row["image_id"] = image["image_id"]
            tally.done += 1
        rows.append(row)
    _check_images(study, rows, place)
    with study.session() as session:
        session.execute(delete(SetImage).where(SetImage.set_name == name))
        insert_images(session, images.values())
        for start in range(0, len(rows), _CHUNK):
            session.execute(insert(SetImage), rows[start : start + _CHUNK])


class _Reader:
    """A set that is to be read: its labels, what they mean, and its images."""

    def __init__(self, study: Study, name: str, place: str) -> None:
        config = study.pipeline.original
        self._limit = config.limit_per_class
        self._root = study.root
        self._from_torchvision = place.startswith(PREFIX)
        packed = self._from_torchvision or place.startswith("digits:")
        self._spec = place if packed else str(study.root / Path(place).expanduser())
        order = [item.class_id for item in study.classes]
        self.names = ClassNames(
            [(item.class_id, item.name) for item in study.classes],
            read_class_map(config.class_map, study.root, order),
            f"The set {name} ({place})",
        )
        if self._from_torchvision:
            # The noun that knows torchvision; what it gives is handed on as if from a folder.
            self.labels = torchvision_sets.labels(self._spec, self._root)
        else:
            self.labels = labels_of(self._spec)

    def items(self) -> Iterator[OriginalImage | UnreadableImageError]:
        """The images, those of each label up to the limit."""
        if not self._from_torchvision:
            return load_original(self._spec, self._limit)
        found = torchvision_sets.images(self._spec, self._root)
        return limited(
            (OriginalImage(item.name, item.label, item.data) for item in found), self._limit
        )


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


def _check_images(study: Study, rows: Sequence[dict[str, object]], place: str) -> None:
    """Every class of the study has an image that can be read."""
    good = {row["class_id"] for row in rows if row["status"] == "ok"}
    bad = Counter(str(row["reason"]) for row in rows if row["status"] != "ok")
    missing = [item.class_id for item in study.classes if item.class_id not in good]
    if missing:
        reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(bad.items()))
        raise UsageError(
            f"{place} has no image that can be read of {len(missing)} of {len(study.classes)} "
            f"classes: {', '.join(missing[:10])}{' (' + reasons + ')' if reasons else ''}.",
            "Put images into their folders, or take these classes out of the study.",
        )
