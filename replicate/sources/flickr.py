"""Flickr as a source: all photos of a term, although a search shows only 4,000 of them."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, Self

from replicate.base.clock import Clock, SystemClock
from replicate.sources.flickr_calls import FlickrCalls, RateLimit
from replicate.sources.records import Photo, QueryPage, Window

CAP = 4000
LAUNCH = 1_076_371_200  # 10 February 2004: nothing on Flickr is older
SIZES = ("url_o", "url_l", "url_c", "url_z", "url_m", "url_n", "url_s", "url_q", "url_t", "url_sq")
EXTRAS = ("license", "owner_name", "date_upload", "date_taken", "tags", "media", "o_dims")


class FlickrSource:
    """Photos from the Flickr API, or from anything that speaks it.

    Args:
        endpoint: The address of the REST API.
        key: The API key.
        secret: Its secret.
        search_in: ``tags``, or ``text``: titles, descriptions and tags.
        licences: Accept only these licence numbers; empty: any.
        per_page: Results a call, at most 500.
        sizes: Addresses to ask for, such as ``url_o``.
        timeout: Seconds to wait for one answer.
        attempts: Tries of one call.
        calls_per_hour: The key's rate limit.
        clock: The time now: the end of a search without a window.
        sleep: How to wait.
    """

    name = "flickr"
    local = by_class = False
    dated = licensed = True

    def __init__(
        self,
        endpoint: str,
        key: str,
        secret: str,
        *,
        search_in: Literal["tags", "text"] = "tags",
        licences: Sequence[int] = (),
        per_page: int = 500,
        sizes: Sequence[str] = SIZES,
        timeout: float = 30.0,
        attempts: int = 3,
        calls_per_hour: int = 3600,
        clock: Clock | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base = endpoint
        self._calls = FlickrCalls(
            endpoint, key, secret, timeout, attempts, RateLimit(calls_per_hour, sleep), sleep
        )
        self._clock = clock or SystemClock()
        self._search_in = search_in
        self._per_page = per_page
        self._arguments: dict[str, str | int] = {
            "media": "photos",
            "sort": "date-posted-desc",
            "per_page": per_page,
            "extras": ",".join([*EXTRAS, *sizes]),
        }
        if licences:
            self._arguments["license"] = ",".join(str(number) for number in sorted(licences))

    def search(self, term: str, window: Window | None = None) -> Iterator[QueryPage]:
        """See `replicate.sources.registry.Source`.

        A window with more than 4,000 results is halved until it fits, down to one second. The
        total that Flickr claims is not trusted: a window is also halved when all its real pages
        were full, and left when a page brings nothing new.
        """
        seen: set[str] = set()
        todo: list[Window | None] = [window]
        while todo:
            part = todo.pop()
            whole = part or Window(LAUNCH, int(self._clock.now().timestamp()))
            divisible = whole.start < whole.end
            overflows = yield from self._pages(term, part, seen, divisible)
            if overflows and divisible:
                # The later half is popped first: newest first, as within a page.
                todo.extend(whole.halves())

    def _pages(
        self, term: str, window: Window | None, seen: set[str], divisible: bool
    ) -> Generator[QueryPage, None, bool]:
        """The pages of one window; its value tells whether it holds more than can be paged."""
        last_page = CAP // self._per_page
        for page in range(1, last_page + 1):
            answer = self._calls.search(**self._query(term, window, page))
            total, found = _count(answer.get("total")), answer["photo"]
            photos = []
            for fields in found:
                photo = _photo(fields)
                if photo is not None and photo.id not in seen and _within(photo, window):
                    seen.add(photo.id)
                    photos.append(photo)
            yield QueryPage(term, window, page, total, len(found), len(photos), tuple(photos))
            full = len(found) >= self._per_page
            if page == 1 and total > CAP and full and divisible:
                return True
            if page == last_page:
                return full
            if not found or (not photos and page > 1):
                return False
            # A page may be short in the middle, where photos are private; at the end it is both.
            if not full and page * self._per_page >= total:
                return False
        return False

    def _query(self, term: str, window: Window | None, page: int) -> dict[str, str | int]:
        query = {**self._arguments, self._search_in: term, "page": page}
        if self._search_in == "tags":
            # A tag is one word to Flickr: "sea snake" is the tag seasnake.
            query |= {"tags": term.replace(",", " "), "tag_mode": "all"}
        if window is not None:
            query |= {"min_upload_date": window.start, "max_upload_date": window.end}
        return query

    def close(self) -> None:
        """Close the connections."""
        self._calls.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Close the connections."""
        self.close()


def _within(photo: Photo, window: Window | None) -> bool:
    if window is None or photo.uploaded is None:
        return True
    return window.start <= int(photo.uploaded.timestamp()) <= window.end


def _photo(fields: Any) -> Photo | None:
    """A photo from its fields in an answer; None if they cannot be one."""
    if not isinstance(fields, dict) or not str(fields.get("id") or ""):
        return None
    photo_id, owner = str(fields["id"]), str(fields.get("owner") or "")
    tags = fields.get("tags")
    return Photo(
        id=photo_id,
        owner=owner,
        owner_name=str(fields.get("ownername") or ""),
        title=str(fields.get("title") or ""),
        licence=str(fields.get("license") or ""),
        page_url=f"https://www.flickr.com/photos/{owner}/{photo_id}" if owner else "",
        uploaded=_moment(fields.get("dateupload")),
        taken=str(fields.get("datetaken") or ""),
        tags=tuple(tags.split()) if isinstance(tags, str) else (),
        urls={size: str(fields[size]) for size in SIZES if fields.get(size)},
    )


def _count(value: Any) -> int:
    """A number of results; Flickr has sent it as a number and as text."""
    text = str(value)
    return int(text) if text.isdecimal() else 0


def _moment(seconds: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
