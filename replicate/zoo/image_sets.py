"""Sets to score: names in a fixed order, classes, a digest, and the bytes of each image.

They lie in a folder, or in a store of contents named by their digest (a study's own).
"""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from replicate.base.blobs import Blobs
from replicate.base.digests import digest_value
from replicate.base.errors import MissingError, UsageError
from replicate.base.files import write_text
from replicate.base.walk import files_below

ENDINGS = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
)


class Images(Protocol):
    """What the engine asks of a set, wherever its images lie."""

    @property
    def name(self) -> str:
        """The set's name."""
        ...

    @property
    def items(self) -> tuple[str, ...]:
        """The images' names, in order: what predictions carry."""
        ...

    @property
    def class_ids(self) -> tuple[str, ...] | None:
        """Each image's class; None where it is not known."""
        ...

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The classes that outputs must mean; None where they are not known."""
        ...

    @property
    def digest(self) -> str:
        """Of names, classes and contents."""
        ...

    def read(self, at: int) -> bytes:
        """One image's bytes.

        Raises:
            OSError: They are gone.
        """
        ...


@dataclass(frozen=True)
class ImageSet:
    """Images in a folder.

    Attributes:
        name: The set's name.
        root: The folder.
        items: Paths below it, in order: the names that predictions carry.
        class_ids: Each image's class; None where it is not known.
        digest: Of names, classes and the SHA-256 of every file.
    """

    name: str
    root: Path
    items: tuple[str, ...]
    class_ids: tuple[str, ...] | None
    digest: str

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The classes that its images have."""
        return tuple(sorted(set(self.class_ids))) if self.class_ids else None

    def read(self, at: int) -> bytes:
        """One image's bytes.

        Raises:
            OSError: The file is gone.
        """
        return (self.root / self.items[at]).read_bytes()


@dataclass(frozen=True)
class StoredSet:
    """Images in a store of contents named by their digest.

    Attributes:
        name: The set's name.
        items: The images' names, in order.
        class_ids: Each image's class.
        classes: The classes that outputs must mean, of these images or not.
        blobs: The digest of each image's bytes.
        store: Where the bytes are.
    """

    name: str
    items: tuple[str, ...]
    class_ids: tuple[str, ...]
    classes: tuple[str, ...]
    blobs: tuple[str, ...]
    store: Blobs

    @cached_property
    def digest(self) -> str:
        """Of names, classes and contents."""
        return digest_value(
            [list(self.items), list(self.class_ids), list(self.blobs), list(self.classes)]
        )

    def read(self, at: int) -> bytes:
        """One image's bytes.

        Raises:
            OSError: They are gone.
        """
        return self.store.get(self.blobs[at])


def folder_set(
    root: Path, name: str, labels: Path | None = None, known: Path | None = None
) -> ImageSet:
    """A folder of images as a set.

    With one folder a class (ImageFolder) the classes are the folders' names; images that lie in
    the folder itself have none, unless a table of labels gives them. Links that lead back up are
    not followed twice.

    Args:
        root: The folder.
        name: The set's name.
        labels: A table ``path,class``, one image a line; its order is the set's order.
        known: Where digests of files are remembered, by size and time, so that a second run
            reads no file.

    Raises:
        MissingError: There is no such folder, or no image in it.
        UsageError: The table of labels is wrong.
    """
    if not root.is_dir():
        raise MissingError(f"There is no folder of images at {root}.")
    classes: list[str] | None
    if labels is not None:
        items, classes = _labelled(root, labels)
    else:
        items = sorted(_images(root))
        parents = [item.rpartition("/")[0] for item in items]
        classes = [parent.split("/")[0] for parent in parents] if all(parents) else None
    if not items:
        raise MissingError(
            f"There are no images in {root}.", f"Known endings: {', '.join(sorted(ENDINGS))}."
        )
    digests = _digests(root, items, known)
    digest = digest_value([items, classes, digests])
    return ImageSet(name, root, tuple(items), tuple(classes) if classes else None, digest)


def _images(root: Path) -> list[str]:
    """Paths of images below a folder, hidden ones left out."""
    paths = (Path(path) for path in files_below(root))
    return [path.relative_to(root).as_posix() for path in paths if path.suffix.lower() in ENDINGS]


def _labelled(root: Path, labels: Path) -> tuple[list[str], list[str]]:
    from replicate.base.tables import read_table

    if not labels.is_file():
        raise MissingError(f"There is no table of labels {labels}.", "It is a table path,class.")
    rows = read_table(labels).to_dict("records")
    columns = {str(name).strip().lower(): name for name in (rows[0] if rows else {})}
    path = next((columns[key] for key in ("path", "image", "file") if key in columns), None)
    label = next((columns[key] for key in ("class", "class_id", "label") if key in columns), None)
    if path is None or label is None:
        raise UsageError(
            f"{labels} has no columns path and class.", "Write path,class and one image a line."
        )
    items = [str(row[path]).strip() for row in rows]
    gone = [item for item in items if not (root / item).is_file()]
    if gone:
        raise UsageError(f"{labels} names {len(gone)} files that are not in {root}: {gone[0]}.")
    if len(set(items)) < len(items):
        raise UsageError(f"{labels} names an image twice.", "Name each image once.")
    return items, [str(row[label]).strip() for row in rows]


def _digests(root: Path, items: Sequence[str], known: Path | None) -> list[str]:
    before: dict[str, list[Any]] = {}
    if known is not None and known.is_file():
        try:
            before = json.loads(known.read_text(encoding="utf-8"))
        except ValueError:
            before = {}  # damaged: read the files again

    def one(item: str) -> list[Any]:
        path = root / item
        status = path.stat()
        mark = [status.st_size, status.st_mtime_ns]
        old = before.get(item)
        if isinstance(old, list) and len(old) == 3 and old[:2] == mark:
            return old
        return [*mark, hashlib.sha256(path.read_bytes()).hexdigest()]

    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(one, items, chunksize=64))
    if known is not None and any(before.get(i) != row for i, row in zip(items, rows, strict=True)):
        write_text(known, json.dumps(dict(zip(items, rows, strict=True))))
    return [str(row[2]) for row in rows]
