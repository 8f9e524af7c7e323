"""The records that sources hand back; plain values, in a fixed order."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class OriginalImage:
    """One labelled image of an existing set.

    Attributes:
        name: A name that is unique within the set and stays the same: a path relative to the
            set's folder, or a row of a packed collection (``optdigits-3823``).
        class_id: The label.
        data: The file's bytes.
    """

    name: str
    class_id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Photo:
    """One candidate photo that a source offers.

    Attributes:
        id: The source's own id; unique within the source.
        owner: The owner's id at the source; empty if unknown.
        owner_name: The owner's name, for attribution.
        title: The photo's title.
        licence: The source's licence code (Flickr: ``"0"`` to ``"16"``); empty if unknown.
        page_url: The page that people visit.
        uploaded: Upload time, UTC; None if unknown.
        taken: When it was taken, as the source writes it (no time zone is known).
        keyword: The keyword that the source says it was found by; empty: the search term.
        tags: Its tags.
        urls: Addresses of the files by size name (``"url_o"``, ``"url_l"``, …), in a fixed order.
    """

    id: str
    owner: str = ""
    owner_name: str = ""
    title: str = ""
    licence: str = ""
    page_url: str = ""
    uploaded: datetime | None = None
    taken: str = ""
    keyword: str = ""
    tags: tuple[str, ...] = ()
    urls: dict[str, str] = field(default_factory=dict)

    def url(self, size: str, *others: str) -> str | None:
        """The address of the first of these sizes that the photo has."""
        return next((self.urls[name] for name in (size, *others) if name in self.urls), None)


@dataclass(frozen=True, slots=True)
class Window:
    """A range of upload times, as whole seconds since 1970 (UTC), both ends included."""

    start: int
    end: int

    def halves(self) -> tuple["Window", "Window"]:
        """The earlier and the later half; together they are the whole."""
        middle = (self.start + self.end) // 2
        return Window(self.start, middle), Window(middle + 1, self.end)

    def holds(self, photo: Photo) -> bool:
        """Whether a photo was uploaded in it; one without a time is taken to be what was asked."""
        if photo.uploaded is None:
            return True
        return self.start <= int(photo.uploaded.timestamp()) <= self.end


@dataclass(frozen=True, slots=True)
class QueryPage:
    """What one call of a search returned: one row of the record of gathering.

    Attributes:
        term: The search term.
        window: The range of upload times asked for; None if none was.
        page: Which page, from 1.
        total: How many results the source claims for the whole query.
        fetched: Results on this page.
        new: Results on this page that no earlier page of this search had.
        photos: The new ones, in the source's order.
    """

    term: str
    window: Window | None
    page: int
    total: int
    fetched: int
    new: int
    photos: tuple[Photo, ...]
