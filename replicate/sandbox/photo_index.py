"""The local Flickr's memory: a table of photos, and searching it as flickr.photos.search does."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from replicate.base.errors import MissingError, UsageError
from replicate.base.randomness import uniform

CAP = 4000
MAX_PER_PAGE = 500
DEFAULT_PER_PAGE = 100
MAX_TAGS = 20
TOTALS = 0.05
_REMEMBERED = 16


class ApiError(Exception):
    """An error that the API answers with.

    Args:
        code: Flickr's number.
        message: Flickr's text.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class StoredPhoto:
    """One photo of the table; see `replicate.sandbox.photos.PhotoRow` for the columns.

    A table may also have ``media`` (photo or video), ``safety`` (1 safe, 2 moderate, 3 restricted)
    and ``content`` (0 photo, 1 screenshot, 2 illustration, 3 virtual).
    """

    id: str
    owner: str
    ownername: str
    title: str
    description: str
    tags: tuple[str, ...]
    date_upload: int
    date_taken: str
    licence: str
    file: str
    width: int
    height: int
    status: str
    media: str = "photo"
    safety: int = 1
    content: int = 0


@dataclass(frozen=True)
class Page:
    """One page of results: what is claimed, and the photos on it."""

    page: int
    pages: int
    per_page: int
    total: int
    photos: list[StoredPhoto]


class PhotoIndex:
    """All photos of a folder, newest upload first.

    Args:
        folder: A folder with a ``photos.csv``; only ``id`` and ``file`` are required columns.

    Raises:
        MissingError: There is no table.
        UsageError: The table lacks a column, or an id occurs twice.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.photos = sorted(_read(folder), key=lambda photo: (-photo.date_upload, photo.id))
        self.by_id = {photo.id: photo for photo in self.photos}
        if len(self.by_id) < len(self.photos):
            raise UsageError(f"An id occurs twice in {folder / 'photos.csv'}.")
        self.by_file = {photo.file: photo for photo in self.photos}
        self._found: dict[str, list[int]] = {}
        self._by_tag: dict[str, set[int]] = {}
        self._by_word: dict[str, set[int]] = {}
        for place, photo in enumerate(self.photos):
            for tag in photo.tags:
                self._by_tag.setdefault(_tag(tag), set()).add(place)
            text = " ".join([photo.title, photo.description, *photo.tags])
            for word in _words(text):
                self._by_word.setdefault(word, set()).add(place)

    def search(self, arguments: Mapping[str, str], error: float = TOTALS) -> Page:
        """One page of the photos that match, as Flickr pages them.

        Arguments that Flickr does not know are ignored, as Flickr does. Only the first 4,000
        results can be paged through; later pages repeat earlier ones. Hidden photos count, and
        leave their place on the page empty.

        Args:
            arguments: What is asked.
            error: By what share the total that is claimed may be off when there is more than one
                page, in [0, 1].

        Raises:
            ApiError: 1 (too many tags), 3 (no parameter to search by).
        """
        asked = "&".join(f"{k}={v}" for k, v in sorted(arguments.items()) if k in _CRITERIA)
        found = self._found.get(asked)
        if found is None:
            # The pages of one search come one after the other.
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            found = self._found[asked] = self._matches(arguments)
        size = _number(arguments, "per_page", DEFAULT_PER_PAGE, 1, MAX_PER_PAGE)
        page = _number(arguments, "page", 1, 1, 10**9)
        total = len(found)
        if total > size:
            total = round(total * (1 - error + 2 * error * uniform(0, "claimed total", asked)))
        real_pages = CAP // size
        shown = page if page <= real_pages else (page - 1) % real_pages + 1
        places = found[: real_pages * size][(shown - 1) * size : shown * size]
        photos = [self.photos[place] for place in places]
        shown_photos = [photo for photo in photos if photo.status != "hidden"]
        return Page(page, -(-total // size), size, total, shown_photos)

    def _matches(self, arguments: Mapping[str, str]) -> list[int]:
        given = {name: arguments[name] for name in _CRITERIA if arguments.get(name)}
        if not given.keys() - {"media", "safe_search", "content_types", "sort", "tag_mode"}:
            raise ApiError(3, "Parameterless searches have been disabled")
        places: set[int] | None = None
        if tags := [_tag(tag) for tag in given.get("tags", "").split(",") if _tag(tag)]:
            everything = given.get("tag_mode", "any").lower() in ("all", "bool")
            if everything and len(tags) > MAX_TAGS:
                raise ApiError(1, "Too many tags in ALL query")
            sets = [self._by_tag.get(tag, set()) for tag in tags]
            places = set.intersection(*sets) if everything else set.union(*sets)
        if text := given.get("text", ""):
            places = self._by_text(text) if places is None else places & self._by_text(text)
        chosen = range(len(self.photos)) if places is None else sorted(places)
        tests = _Tests(given)
        found = [place for place in chosen if tests.passes(self.photos[place])]
        if given.get("sort", "").endswith("asc"):
            found.reverse()
        return found

    def _by_text(self, text: str) -> set[int]:
        wanted = [w for part in text.split() if not part.startswith("-") for w in _words(part)]
        unwanted = [w for part in text.split() if part.startswith("-") for w in _words(part)]
        sets = [self._by_word.get(word, set()) for word in wanted]
        found = set.intersection(*sets) if sets else set(range(len(self.photos)))
        return found.difference(*(self._by_word.get(word, set()) for word in unwanted))


_CRITERIA = (
    "tags", "tag_mode", "text", "user_id", "min_upload_date", "max_upload_date",
    "min_taken_date", "max_taken_date", "license", "sort", "media", "safe_search",
    "content_types",
)  # fmt: skip


class _Tests:
    """What a photo must pass besides its words."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._uploaded = (
            _moment(given.get("min_upload_date"), -(2**62)),
            _moment(given.get("max_upload_date"), 2**62),
        )
        self._taken = (
            _moment(given.get("min_taken_date"), -(2**62)),
            _moment(given.get("max_taken_date"), 2**62),
        )
        self._any_taken = not {"min_taken_date", "max_taken_date"} & set(given)
        self._licences = {part.strip() for part in given.get("license", "").split(",")} - {""}
        self._owner = given.get("user_id")
        self._media = given.get("media", "all").removesuffix("s")
        self._safety = _number(given, "safe_search", 1, 1, 3)
        self._content = {part.strip() for part in given.get("content_types", "").split(",")} - {""}

    def passes(self, photo: StoredPhoto) -> bool:
        return (
            self._uploaded[0] <= photo.date_upload <= self._uploaded[1]
            and (
                self._any_taken
                or self._taken[0] <= _moment(photo.date_taken, -(2**62)) <= self._taken[1]
            )
            and (not self._licences or photo.licence in self._licences)
            and self._owner in (None, photo.owner)
            and self._media in ("all", photo.media)
            and photo.safety <= self._safety
            and (not self._content or str(photo.content) in self._content)
        )


def _moment(text: str | None, otherwise: int) -> int:
    """Seconds since 1970 of a Unix time or of a MySQL date, with or without its time."""
    if not text:
        return otherwise
    try:
        if re.fullmatch(r"-?\d+", text):
            return int(text)
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
    except (ValueError, OverflowError):
        return otherwise


def _number(arguments: Mapping[str, str], name: str, otherwise: int, low: int, high: int) -> int:
    text = arguments.get(name, "")
    return min(max(int(text), low), high) if re.fullmatch(r"\d{1,9}", text) else otherwise


def _tag(text: str) -> str:
    """A tag as Flickr compares tags: small letters and digits only."""
    return "".join(re.findall(r"\w+", text.lower())).replace("_", "")


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def _read(folder: Path) -> list[StoredPhoto]:
    path = folder / "photos.csv"
    if not path.is_file():
        raise MissingError(
            f"There is no table {path}.",
            f"Make a folder of photos: replicate sandbox photos {folder}",
        )
    with path.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        missing = {"id", "file"} - set(reader.fieldnames or ())
        if missing:
            raise UsageError(f"{path} lacks the column {sorted(missing)[0]!r}.")
        return [_photo(row, path, line) for line, row in enumerate(reader, start=2)]


def _photo(row: dict[str, str], path: Path, line: int) -> StoredPhoto:
    try:
        return StoredPhoto(
            id=row["id"],
            owner=row.get("owner") or "",
            ownername=row.get("ownername") or "",
            title=row.get("title") or "",
            description=row.get("description") or "",
            tags=tuple((row.get("tags") or "").split()),
            date_upload=int(row.get("date_upload") or 0),
            date_taken=row.get("date_taken") or "",
            licence=row.get("licence") or "0",
            file=row["file"],
            width=int(row.get("width") or 0),
            height=int(row.get("height") or 0),
            status=row.get("status") or "ok",
            media=row.get("media") or "photo",
            safety=int(row.get("safety") or 1),
            content=int(row.get("content") or 0),
        )
    except ValueError as error:
        raise UsageError(f"{path}, line {line}: {error}") from error
