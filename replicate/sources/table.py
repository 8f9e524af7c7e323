"""A table of images as a source of candidates: addresses or files, with classes or texts.

The table is CSV, TSV, JSON lines or parquet. Its columns, in capitals or not:

===============================================  ================================================
``url`` or ``path`` (``file``, ``filename``)     where the image is; paths are relative to the table
``class`` (``class_id``, ``label``, ``wnid``)    a term finds the rows of exactly this class
``title``, ``text``, ``caption``,                a term finds the rows that have all of its words,
``description``, ``tags``                        wherever there is no class
``id``, ``owner``, ``licence``, ``page_url``,    kept with each candidate
``uploaded`` (a time, or seconds since 1970)
===============================================  ================================================
"""

import re
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

from replicate.base.digests import digest_value
from replicate.base.errors import MissingError, UsageError
from replicate.base.tables import read_table
from replicate.sources.records import Photo, QueryPage, Window

# The names that a column may have; the first found is taken.
COLUMNS = {
    "url": ("url", "image_url", "url_o"),
    "path": ("path", "file", "filename", "file_name", "image_path"),
    "class": ("class", "class_id", "label", "wnid", "category"),
    "id": ("id", "image_id", "photo_id"),
    "owner": ("owner", "owner_name", "ownername", "author", "photographer"),
    "licence": ("licence", "license"),
    "page_url": ("page_url", "page", "source_url"),
    "uploaded": ("uploaded", "date_upload", "upload_date", "date"),
}
TEXTS = ("title", "text", "caption", "description", "tags")
_WORD = re.compile(r"\w+")


class TableSource:
    """Candidates that a table lists.

    Args:
        path: The table: ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet``.
        search_in: Whether terms are looked for in ``tags`` only, or in all texts.
        per_page: Rows a page.

    Raises:
        MissingError: There is no such file, or parquet cannot be read here.
        UsageError: It is no table, or lacks the columns that are needed.
    """

    name = "table"
    by_class = True

    def __init__(
        self, path: Path, search_in: Literal["tags", "text"] = "text", per_page: int = 500
    ) -> None:
        self._folder = path.resolve().parent
        self._per_page = per_page
        if not path.is_file():
            raise MissingError(f"There is no table {path}.", "[gather] path names it.")
        frame = read_table(path)
        names = {str(name).strip().casefold(): str(name) for name in frame.columns}
        found = {
            what: next((names[each] for each in options if each in names), None)
            for what, options in COLUMNS.items()
        }
        texts = [names[each] for each in TEXTS if each in names]
        _check(path, found, texts)
        self.local = found["url"] is None
        self.base = self._folder.as_uri() if self.local else ""
        self.filters = frozenset({"date_windows"} if found["uploaded"] else ())
        self._photos = [self._photo(row, found, names) for row in frame.to_dict("records")]
        _check_ids(path, self._photos)
        self._rows: dict[str, list[int]] = defaultdict(list)
        self._by_class = found["class"]
        if self._by_class is not None:
            for place, value in enumerate(frame[self._by_class]):
                self._rows[_plain(value)].append(place)
        else:
            searched = [name for name in texts if search_in == "text" or name == names.get("tags")]
            for place, row in enumerate(frame[searched].to_dict("records")):
                for word in _words(" ".join(row.values())):
                    self._rows[word].append(place)

    def search(self, term: str, window: Window | None = None) -> Iterator[QueryPage]:
        """See `replicate.sources.registry.Source`; rows come in the table's order."""
        places = self._found(term)
        photos = [self._photos[place] for place in places]
        if window is not None:
            photos = [photo for photo in photos if _within(photo, window)]
        size = self._per_page
        pages = [photos[start : start + size] for start in range(0, len(photos), size)]
        for number, page in enumerate(pages or [[]], start=1):
            yield QueryPage(term, window, number, len(photos), len(page), len(page), tuple(page))

    def _found(self, term: str) -> list[int]:
        if self._by_class is not None:
            return self._rows.get(_plain(term), [])
        words = sorted(_words(term), key=lambda word: len(self._rows.get(word, ())))
        if not words:
            return []
        common = set(self._rows.get(words[0], ()))
        for word in words[1:]:
            common &= set(self._rows.get(word, ()))
        return sorted(common)

    def _photo(
        self, row: Mapping[Hashable, str], found: dict[str, str | None], names: dict[str, str]
    ) -> Photo:
        def value(what: str) -> str:
            column = found[what]
            return "" if column is None else row[column].strip()

        # An absolute path, or one that leads out of the table's folder, is the user's own choice.
        url = value("url") or (self._folder / value("path")).as_uri()
        return Photo(
            id=value("id") or digest_value([url])[:32],
            owner_name=value("owner"),
            title=row[names["title"]].strip() if "title" in names else "",
            licence=value("licence"),
            page_url=value("page_url"),
            uploaded=_moment(value("uploaded")),
            tags=tuple(row[names["tags"]].split()) if "tags" in names else (),
            urls={"url_o": url},
        )

    def close(self) -> None:
        """Nothing to close."""

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to close."""


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


def _check_ids(path: Path, photos: list[Photo]) -> None:
    seen: set[str] = set()
    for place, photo in enumerate(photos, 1):
        if photo.id in seen:
            raise UsageError(
                f"{path.name}, row {place}: {photo.id!r} occurs twice.",
                "Each row is an image of its own: give each another id, or leave repeats out.",
            )
        seen.add(photo.id)


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)}


def _plain(value: str) -> str:
    return " ".join(value.casefold().split())


def _moment(text: str) -> datetime | None:
    try:
        if text.replace(".", "", 1).isdigit():
            return datetime.fromtimestamp(float(text), UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _within(photo: Photo, window: Window) -> bool:
    if photo.uploaded is None:
        return False
    return window.start <= int(photo.uploaded.timestamp()) <= window.end
