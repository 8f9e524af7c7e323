"""Existing labelled sets: a folder with one folder a class, or packed digits."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from replicate.base.errors import ItemError, MissingError, UsageError
from replicate.base.images import decode
from replicate.sources.digits import load_digits
from replicate.sources.records import OriginalImage

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm"})


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key by which numbers within names count as numbers.

    Text order puts class folder ``10`` before ``2``, the most reported fault in this field.

    >>> sorted(["n10", "n2", "a"], key=natural_key)
    ['a', 'n2', 'n10']
    """
    parts = re.split(r"(\d+)", text)
    return tuple(
        (0, int(part), part) if part.isascii() and part.isdigit() else (1, 0, part)
        for part in parts
        if part
    )


def load_original(
    spec: str, limit_per_class: int | None = None
) -> Iterator[OriginalImage | ItemError]:
    """The images of an existing set, in a fixed order.

    Args:
        spec: ``digits:NAME`` (see `replicate.sources.digits`), or the path of a folder with one
            folder a class; the folders' names are the class ids.
        limit_per_class: Only the first so many images of each class.

    Yields:
        Each image, or, for a file that cannot be read as an image, an `ItemError` whose
        message begins with its name.

    Raises:
        UsageError: There is no such set, or the folder has no class folders with images.
    """
    if spec.startswith("digits:"):
        items: Iterable[OriginalImage | ItemError] = load_digits(spec.removeprefix("digits:"))
    else:
        items = _folder(Path(spec))
    taken: dict[str, int] = {}
    for item in items:
        if isinstance(item, OriginalImage) and limit_per_class is not None:
            taken[item.class_id] = taken.get(item.class_id, 0) + 1
            if taken[item.class_id] > limit_per_class:
                continue
        yield item


def image_files(folder: Path) -> list[Path]:
    """The image files under a folder, by their names, in natural order; links are followed."""
    files = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
    ]
    return sorted(files, key=lambda path: natural_key(path.relative_to(folder).as_posix()))


def class_folders(root: Path) -> list[Path]:
    """The class folders of an ImageFolder, in natural order.

    Raises:
        MissingError: The folder is not there.
        UsageError: It has no class folders.
    """
    if not root.is_dir():
        raise MissingError(
            f"There is no folder {root}.",
            "Give the path of a folder with one folder a class, or digits:NAME.",
        )
    folders = [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
    if not folders:
        raise UsageError(
            f"The folder {root} has no class folders.",
            "Put the images of each class into a folder named after the class.",
        )
    return sorted(folders, key=lambda path: natural_key(path.name))


def _folder(root: Path) -> Iterator[OriginalImage | ItemError]:
    empty = True
    for folder in class_folders(root):
        for path in image_files(folder):
            empty = False
            name = path.relative_to(root).as_posix()
            try:
                data = path.read_bytes()
                decode(data)
            except ItemError as error:
                yield ItemError(error.reason, f"{name}: {error}")
            except OSError as error:
                yield ItemError("unreadable", f"{name}: {error.strerror}")
            else:
                yield OriginalImage(name, folder.name, data)
    if empty:
        raise UsageError(
            f"The class folders of {root} hold no images.",
            f"Files ending in {', '.join(sorted(SUFFIXES))} are images.",
        )
