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
        status = Path(here).stat()
        if (status.st_dev, status.st_ino) in seen:
            on_circle()
            continue
        seen.add((status.st_dev, status.st_ino))
        # Names alone, each let go as it is handed on: a million entries take their names' room.
        folders, files = _names_in(here)
        start = os.path.join(here, "")  # noqa: PTH118 - a million of pathlib's take seconds
        while files:
            yield start + files.pop()
        waiting += [str(Path(here, name)) for name in folders]


def _names_in(folder: str) -> tuple[list[str], list[str]]:
    """The folders and the files in a folder, the last name first."""
    folders: list[str] = []
    files: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                (folders if _is_folder(entry) else files).append(entry.name)
    folders.sort(reverse=True)
    files.sort(reverse=True)
    return folders, files


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, say: whoever reads it will be told
        return False
