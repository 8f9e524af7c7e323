"""Going through folders that may hold a million files, and links that lead in circles."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path


def files_below(folder: Path, on_circle: Callable[[], None] = lambda: None) -> Iterator[str]:
    """Every file below a folder, folder by folder, by name; each real folder is entered once.

    Names that begin with a dot are passed over; links are followed.

    Args:
        folder: Where to begin.
        on_circle: Called where a folder was reached before: by a link that leads back, or twice.

    Raises:
        OSError: A folder cannot be read; it is the error's ``filename``.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [str(folder)]
    while waiting:
        here = waiting.pop()
        entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        status = Path(here).stat()
        if (status.st_dev, status.st_ino) in seen:
            on_circle()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(entry.path)
            else:
                yield entry.path
        waiting += reversed(folders)
