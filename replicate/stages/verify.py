"""Checking a set on disk, without a study: a frozen set's manifest, or an export."""

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from replicate.base.blobs import Blobs
from replicate.base.errors import ReplicateError
from replicate.base.files import BlobStore
from replicate.reporting.export_check import check
from replicate.reporting.export_folder import SET
from replicate.sampling.frozen import Frozen, read_frozen, wrong_files
from replicate.study import PIPELINE_FILE, open_study


@dataclass(frozen=True)
class Verified:
    """What a check found.

    Attributes:
        path: What was checked.
        frozen: The frozen set that it is, or is an export of; None if its manifest is broken.
        kind: The export's format; None for a manifest alone.
        faults: One sentence a fault; empty: it is whole.
        left_out: Images of the set that an export leaves out, by reason.
        about: What ``export.json`` says; empty for a manifest alone.
        images: Images whose bytes were looked at.
    """

    path: Path
    frozen: Frozen | None
    kind: str | None
    faults: list[str]
    left_out: dict[str, int] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    images: int = 0


def verify(path: Path) -> Verified:
    """Check a set on disk.

    Of a manifest inside a study the images are looked at, too: those beside it in the study.

    Raises:
        UsageError: It is neither a manifest nor an export.
        ReplicateError: It is a manifest that was changed.
    """
    return _export(path) if path.is_dir() else _manifest(path)


def _manifest(path: Path) -> Verified:
    frozen = read_frozen(path)
    study = path.resolve().parent.parent
    faults: list[str] = []
    images = 0
    if (study / PIPELINE_FILE).is_file():
        opened = open_study(study)
        for kind, store in (("gathered", opened.images), ("prepared", opened.prepared)):
            if not isinstance(store, BlobStore) or store.root.is_dir():
                images = len(frozen.manifest.members)
                wrong = wrong_files(frozen, kind, _reader(store))
                faults += [f"Image {image}: {what}." for image, what in wrong]
    return Verified(path, frozen, None, faults, images=images)


def _reader(store: Blobs) -> Callable[[str], bytes | None]:
    def read(digest: str) -> bytes | None:
        try:
            return store.get(digest)
        except FileNotFoundError:
            return None

    return read


def _export(folder: Path) -> Verified:
    found = check(folder)
    faults = list(found.faults)
    frozen: Frozen | None = None
    if (folder / SET).is_file():
        try:
            frozen = read_frozen(folder / SET)
        except ReplicateError as error:
            faults.append(error.message)
    if frozen is not None:
        faults += _against_the_set(folder, found.about, frozen)
    return Verified(
        folder, frozen, found.about["kind"], faults, found.left_out, found.about, found.images
    )


def _against_the_set(folder: Path, about: dict[str, Any], frozen: Frozen) -> list[str]:
    """Whether what an export says is what was frozen: the digest, the images, their classes."""
    faults = []
    if about.get("digest") != frozen.manifest.digest:
        faults.append("export.json names another set than set.json.")
    if about.get("manifest_digest") != frozen.digest:
        faults.append("export.json names another manifest than set.json.")
    table = folder / "images.csv"
    if not table.is_file():
        return faults
    with table.open(newline="", encoding="utf-8") as handle:
        rows = {row["position"]: row for row in csv.DictReader(handle)}
    gone = {image for ids in about.get("left_out", {}).values() for image in ids}
    members = zip(frozen.manifest.members, frozen.prepared, strict=True)
    for position, ((image_id, class_id), prepared) in enumerate(members):
        row = rows.pop(str(position), None)
        if image_id in gone:
            if row is not None:
                faults.append(f"Image {position} is said to be left out, but it is here.")
            continue
        if row is None:
            faults.append(f"Image {position} of the set is not here, and no reason is given.")
        elif (row["image_id"], row["class_id"]) != (image_id, class_id):
            faults.append(f"Image {position} is not the one that was frozen.")
            continue
        frozen_bytes = {"prepared": prepared, "gathered": image_id}.get(str(about.get("bytes")))
        if row is not None and frozen_bytes not in (None, row["sha256"]):
            faults.append(f"Image {position} has not the bytes that were frozen.")
    faults += [f"images.csv has a place {position} that the set has not." for position in rows]
    return faults
