"""gather: further reference sets that must not leak in: folders or tables of images, no classes."""

from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from replicate.base.digests import sha256_bytes
from replicate.base.errors import ItemError
from replicate.base.images import decode
from replicate.duplicates.listing import existing, list_folder, list_table
from replicate.stages.common import Context, Tally
from replicate.stages.gather_sets import image_row, insert_images
from replicate.store.tables import SetImage
from replicate.store.takedowns import TAKEN_DOWN, taken_down

_BATCH = 500
OWN = ("test", "train")  # references that are sets of the study itself
_NO_CLASS = ""


def gather_references(context: Context, tally: Tally) -> None:
    """Store the images of every reference set that `[dedup] references` names by a path.

    A file of hashes must only be there.

    Images that are there already are not read again; those that are new in the folder come in.

    Raises:
        UsageError: A path is not there, or cannot be read as a folder or a table.
    """
    study = context.study
    for place in study.pipeline.dedup.references:
        if place in OWN:
            continue
        path = next(existing([str(study.root / place)]))
        if place in study.pipeline.dedup.hash_files:
            continue  # dedup reads it: there are no images to take in
        files = (list_folder(path) if path.is_dir() else list_table(path)).files
        with study.session() as session:
            there = set(session.scalars(select(SetImage.name).where(SetImage.set_name == place)))
            down = taken_down(session)
        new = [name for name in files if name not in there]
        tally.skipped += len(files) - len(new)
        for start in range(0, len(new), _BATCH):
            context.progress(f"reading the reference set {place}", start, len(new))
            batch = new[start : start + _BATCH]
            _gather_batch(context, place, batch, len(there) + start, down, tally)


def _gather_batch(
    context: Context, place: str, names: list[str], first: int, down: Any, tally: Tally
) -> None:
    rows, images = [], {}
    for position, name in enumerate(names, first):
        row: dict[str, Any] = {
            "set_name": place, "name": name, "class_id": _NO_CLASS, "position": position,
            "status": "ok", "reason": None, "image_id": None,
        }  # fmt: skip
        try:
            image = _read(context, name, down)
            images[image["image_id"]] = image
            row["image_id"] = image["image_id"]
            tally.done += 1
        except ItemError as error:
            row |= {"status": "failed", "reason": error.reason}
            tally.failed[error.reason] += 1
        rows.append(row)
    with context.study.session() as session:
        insert_images(session, images.values())
        session.execute(insert(SetImage), rows)


def _read(context: Context, name: str, down: Any) -> dict[str, Any]:
    try:
        data = Path(name).read_bytes()
    except OSError as error:
        raise ItemError("missing", f"{name} cannot be read: {error.strerror}") from error
    if down and sha256_bytes(data) in down:
        raise ItemError(TAKEN_DOWN)
    size = decode(data).size
    return image_row(context.study.images.put(data), size, len(data))
