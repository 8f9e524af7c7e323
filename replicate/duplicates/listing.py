"""Which images a folder or a table names.

A folder may hold a million files, and links that lead in circles.
"""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from replicate.base.errors import MissingError, UsageError
from replicate.base.walk import files_below

_ENDINGS = "jpg jpeg jpe jfif png webp bmp gif tif tiff ppm pgm pnm jp2 avif"
IMAGE_ENDINGS = frozenset(f".{ending}" for ending in _ENDINGS.split())


@dataclass
class Listing:
    """What was found.

    Attributes:
        files: The images, by the path that the user's own path leads to, sorted.
        others: Files passed over because their name is none of an image, by ending.
        circles: Folders that were reached before: links that lead back, or twice to one place.
    """

    files: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    circles: int = 0


def list_folder(folder: Path) -> Listing:
    """All images below a folder, whatever links there are; each real folder is entered once.

    Files with an image's ending, in whatever case, and files without any ending; names that
    begin with a dot are passed over.

    Raises:
        UsageError: The folder cannot be read.
    """
    found = Listing()

    def circle() -> None:
        found.circles += 1

    try:
        for path in files_below(folder, circle):
            _note(path, found)
    except OSError as error:
        raise UsageError(
            f"The folder {error.filename} cannot be read: {error.strerror}.",
            "Name folders of images.",
        ) from error
    found.files.sort()
    return found


def _note(path: str, found: Listing) -> None:
    ending = os.path.splitext(path)[1].lower()  # noqa: PTH122 - there may be a million
    if ending in IMAGE_ENDINGS or ending in ("", "."):
        found.files.append(path)
    else:
        found.others[ending] += 1


def list_table(path: Path) -> Listing:
    """The images that the column ``path`` of a table names; relative ones lie beside the table.

    Raises:
        UsageError: The table cannot be read, or has no column ``path``.
    """
    from replicate.base.tables import need_columns, read_table

    frame = read_table(path)
    need_columns(frame, ["path"], str(path))
    return Listing(files=[str(path.parent / name) for name in frame["path"] if name])


def existing(paths: Sequence[str]) -> Iterator[Path]:
    """The paths that a user named.

    Raises:
        MissingError: There is nothing of that name.
    """
    for name in paths:
        path = Path(name)
        if not path.exists():
            raise MissingError(
                f"There is no {name}.",
                "Name folders of images, tables with a column 'path', or hash files "
                "(H.npz made by --save-hashes, or a bare .npy).",
            )
        yield path
