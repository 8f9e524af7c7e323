"""Checking an export on disk, years later: every digest is computed again.

First every file against ``export.json``; then, in formats with pixels, every image against the
table of images, read as the format's readers read it. Needs no study.
"""

import csv
import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from replicate.base.digests import digest_value, sha256_bytes, sha256_file
from replicate.base.errors import UsageError
from replicate.reporting.export_folder import MANIFEST

_IGNORED = {".DS_Store", "Thumbs.db"}  # what file managers leave behind


@dataclass(frozen=True)
class Checked:
    """What a check of an export found.

    Attributes:
        about: What ``export.json`` says.
        faults: One sentence a fault; empty: it is whole.
        files: Files that were looked at.
        images: Images whose own digest was computed.
    """

    about: dict[str, Any]
    faults: list[str] = field(default_factory=list)
    files: int = 0
    images: int = 0

    @property
    def left_out(self) -> dict[str, int]:
        """How many images of the set were left out, by reason."""
        return {reason: len(ids) for reason, ids in self.about.get("left_out", {}).items()}


def check(folder: Path) -> Checked:
    """Check an export.

    Raises:
        UsageError: The folder holds no export.
    """
    about = _read(folder / MANIFEST)
    faults: list[str] = []
    claimed = about.get("export_digest")
    if digest_value({k: v for k, v in about.items() if k != "export_digest"}) != claimed:
        faults.append(f"{MANIFEST} was changed: its digest is not the one that it names.")
    parts = about.get("parts", {})
    files: dict[str, dict[str, Any]] = about["files"]
    faults += _files(folder, files, set(parts))
    n_files, n_images = len(files) + 1, 0
    for name, digest in sorted(parts.items()):
        if not (folder / name / MANIFEST).is_file():
            faults.append(f"{name}/{MANIFEST} is missing.")
            continue
        inside = check(folder / name)
        n_files, n_images = n_files + inside.files, n_images + inside.images
        faults += [f"{name}: {fault}" for fault in inside.faults]
        if inside.about.get("export_digest") != digest:
            faults.append(f"{name} is another export than {MANIFEST} names.")
    if not faults and "images.csv" in files:
        found, n_images = _images(folder, str(about["kind"]))
        faults += found
    return Checked(about, faults, n_files, n_images)


def _read(path: Path) -> dict[str, Any]:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(about["files"], dict) or not isinstance(about["kind"], str):
            raise TypeError("files")
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path.parent} is no export of a test set: {path.name} "
            f"{'is missing' if not path.exists() else 'cannot be read'}.",
            "Name a folder that `replicate export` wrote, or a frozen set's JSON file.",
        ) from error
    return dict(about)


def _files(folder: Path, files: dict[str, dict[str, Any]], parts: set[str]) -> list[str]:
    faults = []
    for name, entry in files.items():
        path = folder / name
        if not path.is_file():
            faults.append(f"{name} is missing.")
        elif path.stat().st_size != entry["bytes"]:
            faults.append(
                f"{name} was changed: it has {path.stat().st_size} bytes, not {entry['bytes']}."
            )
        elif sha256_file(path) != entry["sha256"]:
            faults.append(f"{name} was changed: its SHA-256 is not {entry['sha256'][:12]}….")
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or name in files or name == MANIFEST or path.name in _IGNORED:
            continue
        if name.split("/")[0] not in parts:
            faults.append(f"{name} does not belong to the export.")
    return faults


def _images(folder: Path, kind: str) -> tuple[list[str], int]:
    """Every image against the table, in its order."""
    with (folder / "images.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    faults = []
    found = dict(_pixels(folder, kind, rows))
    for row in rows:
        digest = found.pop(row["file"], None)
        if digest is None:
            faults.append(f"Image {row['position']} ({row['file']}) is missing.")
        elif digest != row["sha256"]:
            faults.append(f"Image {row['position']} ({row['file']}) has other bytes.")
    faults += [f"The image {name} is not in images.csv." for name in found]
    return faults, len(rows)


def _pixels(folder: Path, kind: str, rows: list[dict[str, str]]) -> Iterator[tuple[str, str]]:
    """Each image's name, as the table has it, and the SHA-256 of its bytes."""
    if kind == "imagefolder":
        for row in rows:
            yield row["file"], sha256_file(folder / row["file"])
    elif kind == "webdataset":
        for path in sorted(folder.glob("*.tar")):
            yield from _shard(path)
    else:
        for path in sorted(folder.rglob("*.parquet")):
            yield from _parquet(path, path.relative_to(folder).as_posix())


def _shard(path: Path) -> Iterator[tuple[str, str]]:
    with tarfile.open(path, "r|") as tar:
        for member in tar:
            key, _, suffix = member.name.partition(".")
            handle = tar.extractfile(member)
            if handle is not None and suffix not in ("cls", "json"):
                yield f"{path.name}/{key}", sha256_bytes(handle.read())


def _parquet(path: Path, name: str) -> Iterator[tuple[str, str]]:
    # Imported late: only these formats need it.
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        hub = "image" in file.schema_arrow.names
        for batch in file.iter_batches(64, columns=["image"] if hub else ["file", "bytes"]):
            for row in batch.to_pylist():
                data = row["image"] if hub else {"path": row["file"], "bytes": row["bytes"]}
                yield f"{name}/{data['path']}", sha256_bytes(data["bytes"])
