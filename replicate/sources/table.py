"""A table of images as a source of candidates: addresses or files, with classes or texts.

The table is CSV, TSV, JSON lines or parquet. Its columns, in capitals or not:

===============================================  ================================================
``url`` or ``path`` (``file``, ``filename``)     where the image is; paths are relative to the table
``class`` (``class_id``, ``label``, ``wnid``)    a term finds the rows of exactly this class
``title``, ``text``, ``caption``,                a term finds the rows that have all of its words,
``description``, ``tags``                        wherever there is no class column
``id``, ``owner``, ``licence``, ``page_url``,    kept with each candidate
``uploaded`` (a time, or seconds since 1970),
``taken`` or ``year``, ``keyword``
===============================================  ================================================

A folder with such a table of its files is searched the same way, by tags and texts.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

from replicate.base.digests import digest_value
from replicate.base.errors import MissingError, UsageError
from replicate.base.tables import column_names, read_table
from replicate.sources.columns import COLUMNS, TEXTS
from replicate.sources.matching import Finder, split_tags
from replicate.sources.original import image_files
from replicate.sources.records import Photo, QueryPage, Window

UNDATED = -(2**62)


class TableSource:
    """Candidates that a table lists.

    Args:
        path: The table: ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet``.
        search_in: Whether terms are looked for in ``tags`` only, or in all texts.
        per_page: Rows a page.
        licences: Accept only rows of these licence numbers; empty: any.
        folder: The folder that the table describes, which paths are then relative to. Its texts
            are searched, whether there is a column of classes or not, unless it has no texts.

    Raises:
        MissingError: There is no such file, or parquet cannot be read here.
        UsageError: It is no table, or lacks the columns that are needed.
    """

    def __init__(
        self,
        path: Path,
        search_in: Literal["tags", "text"] = "text",
        per_page: int = 500,
        licences: Sequence[int] = (),
        folder: Path | None = None,
    ) -> None:
        self.name = "table" if folder is None else "folder"
        self._folder = (folder or path.parent).resolve()
        self._per_page = per_page
        self._licences = {str(number) for number in licences}
        if not path.is_file():
            key = "path" if folder is None else "metadata"
            raise MissingError(f"There is no table {path}.", f"[gather] {key} names it.")
        frame = read_table(path)
        names = {str(name).strip().casefold(): str(name) for name in frame.columns}
        found = {
            what: next((names[each] for each in options if each in names), None)
            for what, options in COLUMNS.items()
        }
        texts = {each: names[each] for each in TEXTS if each in names}
        _check(path, found, list(texts))
        self.by_class = found["class"] is not None and (folder is None or not texts)
        self.local = found["url"] is None
        self.base = self._folder.as_uri() if self.local else ""
        self.filters = frozenset(
            key
            for key, column in (("date_windows", "uploaded"), ("licences", "licence"))
            if found[column]
        )
        # One text a cell, and nothing of the columns that nobody asks for.
        self._cells = {
            what: frame[column].tolist() for what, column in found.items() if column is not None
        }
        self._texts = {name: frame[column].tolist() for name, column in texts.items()}
        self._n = len(frame)
        del frame
        self._uploaded = array(
            "q", (_seconds(_moment(cell.strip())) for cell in self._cells.get("uploaded", ()))
        )
        _check_ids(path, (self._id(place) for place in range(self._n)))
        self._finder = Finder()
        searched = [cells for name, cells in self._texts.items() if search_in == "text"]
        tags = self._texts.get("tags", [""] * self._n)
        for place in range(self._n):
            if self.by_class:
                self._finder.add_class(place, self._cells["class"][place])
            else:
                self._finder.add_texts(place, (cells[place] for cells in searched), tags[place])
        self.notes = self._strangers() if folder is not None and self.local else []

    def search(self, term: str, window: Window | None = None) -> Iterator[QueryPage]:
        """See `replicate.sources.registry.Source`; rows come in the table's order."""
        places = [place for place in self._finder.find(term) if self._passes(place, window)]
        size = self._per_page
        pages = [places[start : start + size] for start in range(0, len(places), size)]
        for number, page in enumerate(pages or [[]], start=1):
            photos = tuple(self._photo(place) for place in page)
            yield QueryPage(term, window, number, len(places), len(page), len(page), photos)

    def _passes(self, place: int, window: Window | None) -> bool:
        if self._licences and self._cell("licence", place) not in self._licences:
            return False
        if window is None:
            return True
        return bool(self._uploaded) and window.start <= self._uploaded[place] <= window.end

    def _cell(self, what: str, place: int) -> str:
        cells = self._cells.get(what)
        return "" if cells is None else str(cells[place]).strip()

    def _url(self, place: int) -> str:
        # An absolute path, or one that leads out of the table's folder, is the user's own choice.
        return self._cell("url", place) or (self._folder / self._cell("path", place)).as_uri()

    def _id(self, place: int) -> str:
        return self._cell("id", place) or digest_value([self._url(place)])[:32]

    def _photo(self, place: int) -> Photo:
        title, tags = (self._texts.get(name) for name in ("title", "tags"))
        return Photo(
            id=self._id(place),
            owner_name=self._cell("owner", place),
            title=title[place].strip() if title else "",
            licence=self._cell("licence", place),
            page_url=self._cell("page_url", place),
            uploaded=_moment(self._cell("uploaded", place)),
            taken=self._cell("taken", place),
            keyword=self._cell("keyword", place),
            tags=tuple(split_tags(tags[place])) if tags else (),
            urls={"url_o": self._url(place)},
        )

    def _strangers(self) -> list[str]:
        """What to say of files in the folder that have no row."""
        listed = {Path(self._folder / self._cell("path", place)) for place in range(self._n)}
        missing = [path for path in image_files(self._folder) if path not in listed]
        if not missing:
            return []
        first = missing[0].relative_to(self._folder).as_posix()
        return [
            f"{len(missing)} files in {self._folder.name} have no row in its table and cannot be "
            f"found, such as {first}."
        ]

    def close(self) -> None:
        """Nothing to close."""

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to close."""


def has_classes(path: Path) -> bool:
    """Whether a table says the classes of its images.

    Raises:
        MissingError: There is no such file.
        UsageError: It is no table.
    """
    if not path.is_file():
        raise MissingError(f"There is no table {path}.", "[gather] path names it.")
    names = {name.strip().casefold() for name in column_names(path)}
    return not names.isdisjoint(COLUMNS["class"])


def _check(path: Path, found: dict[str, str | None], texts: list[str]) -> None:
    if found["url"] is None and found["path"] is None:
        raise UsageError(
            f"{path.name} has no column that says where the images are.",
            "Name a column url, or path (relative to the table).",
        )
    if found["class"] is None and not texts:
        raise UsageError(
            f"{path.name} has no column to search: neither a class nor a text.",
            f"Name a column class, or one of: {', '.join(TEXTS)}.",
        )


def _check_ids(path: Path, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for place, each in enumerate(ids, 1):
        if each in seen:
            raise UsageError(
                f"{path.name}, row {place}: {each!r} occurs twice.",
                "Each row is an image of its own: give each another id, or leave repeats out.",
            )
        seen.add(each)


def _seconds(moment: datetime | None) -> int:
    return UNDATED if moment is None else int(moment.timestamp())


def _moment(text: str) -> datetime | None:
    try:
        if text.replace(".", "", 1).isdigit():
            return datetime.fromtimestamp(float(text), UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
