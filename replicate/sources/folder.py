"""A folder with one folder a class, as a source of candidates."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from replicate.sources.original import class_folders, image_files
from replicate.sources.records import Photo, QueryPage, Window


class FolderSource:
    """Candidates that somebody has already collected.

    A term finds the folder of that name, in capitals or not. Files have no upload times, so a
    search within a window finds nothing.

    Args:
        root: The folder; its folders are named after classes or terms.
        per_page: Files a page.

    Raises:
        UsageError: The folder is not there, or has no class folders.
    """

    name = "folder"
    local = True
    filters: frozenset[str] = frozenset()
    by_class = True  # folders are usually named after the class's id

    def __init__(self, root: Path, per_page: int = 500) -> None:
        self._root = root.resolve()
        self.base = self._root.as_uri()
        self._per_page = per_page
        self._folders: dict[str, list[Path]] = {}
        for folder in class_folders(self._root):
            self._folders.setdefault(folder.name.casefold(), []).append(folder)

    def search(self, term: str, window: Window | None = None) -> Iterator[QueryPage]:
        """See `replicate.sources.registry.Source`; ids are paths below the folder."""
        folders = self._folders.get(term.casefold(), []) if window is None else []
        files = [path for folder in folders for path in image_files(folder)]
        pages = [
            files[start : start + self._per_page] for start in range(0, len(files), self._per_page)
        ]
        for number, page in enumerate(pages or [[]], start=1):
            photos = tuple(self._photo(path) for path in page)
            yield QueryPage(term, window, number, len(files), len(page), len(page), photos)

    def _photo(self, path: Path) -> Photo:
        name = path.relative_to(self._root).as_posix()
        return Photo(id=name, title=path.stem, urls={"url_o": path.as_uri()})

    def close(self) -> None:
        """Nothing to close."""

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to close."""
