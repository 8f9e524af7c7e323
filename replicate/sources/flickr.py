"""Flickr as a source: all photos of a term, although a search shows only 4,000 of them."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, Literal, Self

from replicate.base.clock import Clock, SystemClock
from replicate.sources.call_ledger import CallLedger, RateLimit
from replicate.sources.flickr_arguments import check_own_arguments
from replicate.sources.flickr_calls import FlickrCalls
from replicate.sources.flickr_photos import EXTRAS, SIZES, is_video, read_count, read_photo
from replicate.sources.flickr_windows import Known, Shown
from replicate.sources.records import Photo, QueryPage, Window
from replicate.sources.registry import FILTERS

CAP = 4000
LAUNCH = 1_076_371_200  # 10 February 2004: nothing on Flickr is older
# A page that lacks at most one photo in ten is taken for a full one: Flickr takes private photos
# off a page without filling it up.
NEARLY_FULL = 0.9
# Halving a window down to one second takes 30 steps; whoever brings nothing new for longer repeats
# itself, whatever window is asked for.
PATIENCE = 64
SAFETY = {"safe": 1, "moderate": 2, "restricted": 3}
CONTENT = {"photos": 0, "screenshots": 1, "illustrations": 2, "virtual": 3}


class FlickrSource:
    """Photos from the Flickr API, or from anything that speaks it.

    Args:
        endpoint: The address of the REST API.
        key: The API key.
        secret: Its secret.
        search_in: ``tags``, or ``text``: titles, descriptions and tags.
        licences: Accept only these licence numbers; empty: any.
        media: ``photos``, or ``all``: videos too, of which there are only still pictures.
        content: Kinds of content to accept, names of `CONTENT`; empty: any.
        safe_search: The least safe photos to accept, a name of `SAFETY`.
        arguments: Further arguments of flickr.photos.search.
        per_page: Results a call, at most 500.
        sizes: Addresses to ask for, such as ``url_o``.
        timeout: Seconds to wait for one answer.
        attempts: Tries of one call.
        calls_per_hour: The key's rate limit.
        ledger: The calls that were made, also by earlier runs.
        clock: The time now: the end of a search without a window.
        sleep: How to wait.

    Raises:
        UsageError: One of the further arguments does not exist, or is not for the user to give.
    """

    name = "flickr"
    local = by_class = False
    filters = FILTERS

    def __init__(
        self,
        endpoint: str,
        key: str,
        secret: str,
        *,
        search_in: Literal["tags", "text"] = "tags",
        licences: Sequence[int] = (),
        media: Literal["photos", "all"] = "photos",
        content: Sequence[str] = (),
        safe_search: str = "safe",
        arguments: Mapping[str, str | int] | None = None,
        per_page: int = 500,
        sizes: Sequence[str] = SIZES,
        timeout: float = 30.0,
        attempts: int = 3,
        calls_per_hour: int = 3600,
        ledger: CallLedger | None = None,
        clock: Clock | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base = endpoint
        self._clock = clock or SystemClock()
        self._search_in = search_in
        self._per_page = per_page
        self._photos_only = media == "photos"
        self._arguments: dict[str, str | int] = {
            **dict(arguments or {}),
            "media": media,
            "sort": "date-posted-desc",
            "safe_search": SAFETY[safe_search],
            "per_page": per_page,
            "extras": ",".join([*EXTRAS, *sizes]),
        }
        check_own_arguments(set(arguments or {}))
        if licences:
            self._arguments["license"] = ",".join(str(number) for number in sorted(licences))
        if content:
            self._arguments["content_types"] = ",".join(
                str(CONTENT[kind]) for kind in sorted(content, key=CONTENT.__getitem__)
            )
        limit = RateLimit(calls_per_hour, ledger, self._clock, sleep)
        self._calls = FlickrCalls(endpoint, key, secret, timeout, attempts, limit, ledger, sleep)

    def search(self, term: str, window: Window | None = None) -> Iterator[QueryPage]:
        """See `replicate.sources.registry.Source`.

        A window with more results than can be paged is paged as far as that goes; then the rest of
        it is searched, up to the oldest photo that was shown, which costs no call. Where answers
        do not come in order, or have no dates, so that nobody knows what is left, the window is
        halved, down to one second. The total that Flickr claims is not trusted: a window also has
        a rest when all its real pages were full, and is left when a page brings nothing new.
        """
        known = Known()
        todo: list[Window | None] = [window]
        while todo and known.idle < PATIENCE:
            # The later part is popped first: newest first, as within a page.
            rest = yield from self._pages(term, todo.pop(), known)
            known.halved |= len(rest) > 1
            todo.extend(rest)

    def _pages(
        self, term: str, window: Window | None, known: Known
    ) -> Generator[QueryPage, None, list[Window]]:
        """The pages of one window; its value are the windows that are left to search."""
        whole = window or Window(LAUNCH, int(self._clock.now().timestamp()))
        shown = Shown(whole)
        for page in range(1, max(1, CAP // self._per_page) + 1):
            answer = self._calls.search(**self._query(term, window, page))
            total, found = read_count(answer.get("total")), answer["photo"]
            photos = [photo for each in found if (photo := self._photo(each)) is not None]
            inside = {photo.id: photo for photo in photos if window is None or whole.holds(photo)}
            new = known.new(inside.values())
            yield QueryPage(term, window, page, total, len(found), len(new), new)
            shown.add(inside.values())
            full = len(found) >= NEARLY_FULL * self._per_page
            more = total > page * self._per_page
            if not found or not (full or more):
                return []
            if not (new or known.halved or shown.only_newest):
                # Answers repeat themselves. What is older may still be there, if more is claimed.
                return shown.rest() if more else []
            if page == 1 and total > CAP and full and not shown.in_order:
                return shown.rest()
        return shown.rest() if full or total > CAP else []

    def _photo(self, fields: Any) -> Photo | None:
        return None if self._photos_only and is_video(fields) else read_photo(fields)

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
