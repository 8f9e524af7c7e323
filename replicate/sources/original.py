"""Existing labelled sets: a folder with one folder a class, a table of files, or packed digits."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from replicate.base.errors import ItemError, MissingError, UsageError
from replicate.base.images import decode
from replicate.base.tables import ENDINGS, read_table
from replicate.sources.columns import COLUMNS
from replicate.sources.digits import load_digits
from replicate.sources.records import OriginalImage

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm"})


class UnreadableImageError(ItemError):
    """A file of a set that cannot be read as an image.

    Args:
        name: The image's name in its set.
        label: Its label.
        reason: Why, in a word.
        message: Why, for a person.
    """

    def __init__(self, name: str, label: str, reason: str, message: str) -> None:
        super().__init__(reason, f"{name}: {message}")
        self.name = name
        self.label = label


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


def labels_of(spec: str) -> list[str]:
    """The labels of an existing set, each once, in the set's order; no image is read.

    Raises:
        MissingError: There is no such folder or table.
        UsageError: There is no such set; the folder has no class folders, the table no labels.
    """
    if spec.startswith("digits:"):
        items = load_digits(spec.removeprefix("digits:"))
        return list(dict.fromkeys(item.class_id for item in items))
    path = Path(spec)
    if is_table(path):
        return list(dict.fromkeys(label for _, label in _rows(path)))
    return [folder.name for folder in class_folders(path) if any(image_files(folder))]


def load_original(
    spec: str, limit_per_class: int | None = None
) -> Iterator[OriginalImage | UnreadableImageError]:
    """The images of an existing set, in a fixed order.

    Args:
        spec: ``digits:NAME`` (see `replicate.sources.digits`); the path of a folder with one folder
            a class, whose names are the labels; or the path of a table (``.csv``, ``.tsv``,
            ``.jsonl``, ``.parquet``) with a column of files and a column of labels.
        limit_per_class: Only the first so many images of each label.

    Yields:
        Each image, its label as class id; or what could not be read as an image, with a reason.

    Raises:
        MissingError: There is no such folder or table.
        UsageError: There is no such set, or it holds no images.
    """
    if spec.startswith("digits:"):
        items: Iterable[OriginalImage | UnreadableImageError] = load_digits(
            spec.removeprefix("digits:")
        )
    elif is_table(Path(spec)):
        items = _table(Path(spec))
    else:
        items = _folder(Path(spec))
    yield from limited(items, limit_per_class)


def limited(
    items: Iterable[OriginalImage | UnreadableImageError], per_class: int | None
) -> Iterator[OriginalImage | UnreadableImageError]:
    """The first so many images of each label; None: all of them."""
    taken: dict[str, int] = {}
    for item in items:
        if isinstance(item, OriginalImage) and per_class is not None:
            taken[item.class_id] = taken.get(item.class_id, 0) + 1
            if taken[item.class_id] > per_class:
                continue
        yield item


def is_table(path: Path) -> bool:
    """Whether a path means a table rather than a folder."""
    return path.suffix.lower() in ENDINGS and not path.is_dir()


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
            "Give the path of a folder with one folder a class, of a table, or digits:NAME.",
        )
    folders = [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
    if not folders:
        raise UsageError(
            f"The folder {root} has no class folders.",
            "Put the images of each class into a folder named after the class.",
        )
    return sorted(folders, key=lambda path: natural_key(path.name))


def _folder(root: Path) -> Iterator[OriginalImage | UnreadableImageError]:
    empty = True
    for folder in class_folders(root):
        for path in image_files(folder):
            empty = False
            yield _image(path, path.relative_to(root).as_posix(), folder.name)
    if empty:
        raise UsageError(
            f"The class folders of {root} hold no images.",
            f"Files ending in {', '.join(sorted(SUFFIXES))} are images.",
        )


def _table(path: Path) -> Iterator[OriginalImage | UnreadableImageError]:
    for name, label in _rows(path):
        yield _image(path.parent / name, name, label)


def _rows(path: Path) -> list[tuple[str, str]]:
    """File and label of each row, in the table's order."""
    if not path.is_file():
        raise MissingError(
            f"There is no table {path}.", "Name it in [original], from the study's folder."
        )
    frame = read_table(path)
    columns = {str(column).strip().lower(): column for column in frame.columns}
    files, labels = (
        next((columns[name] for name in COLUMNS[what] if name in columns), None)
        for what in ("path", "class")
    )
    if files is None or labels is None:
        lacks, names = ("file", "path") if files is None else ("label", "class")
        raise UsageError(
            f"The table {path} has no column with the {lacks} of each image; its columns are: "
            f"{', '.join(map(str, frame.columns))}.",
            f"Name one of them {' or '.join(COLUMNS[names])}.",
        )
    rows = list(zip(frame[files].str.strip(), frame[labels].str.strip(), strict=True))
    for number, (name, label) in enumerate(rows, 1):
        if not name or not label:
            raise UsageError(f"Row {number} of {path} has no {'file' if not name else 'label'}.")
    twice = [name for name, count in Counter(name for name, _ in rows).items() if count > 1]
    if twice:
        raise UsageError(
            f"{path} names {len(twice)} files more than once, such as {twice[0]!r}.",
            "An image of a test set has one class.",
        )
    return rows


def _image(path: Path, name: str, label: str) -> OriginalImage | UnreadableImageError:
    try:
        data = path.read_bytes()
        decode(data)
    except ItemError as error:
        return UnreadableImageError(name, label, error.reason, str(error))
    except FileNotFoundError:
        return UnreadableImageError(name, label, "file_missing", "there is no such file")
    except OSError as error:
        return UnreadableImageError(name, label, "unreadable", str(error.strerror))
    return OriginalImage(name, label, data)
