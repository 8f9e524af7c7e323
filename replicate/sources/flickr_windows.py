"""What a search of Flickr has shown so far, and what is left to ask for."""

from collections.abc import Iterable

from replicate.sources.records import Photo, Window


class Known:
    """The photos that a search has found.

    Attributes:
        idle: Calls in a row that brought nothing new.
        halved: Whether windows had to be halved, so that pages show again what is known.
    """

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self.idle = 0
        self.halved = False

    def new(self, photos: Iterable[Photo]) -> tuple[Photo, ...]:
        """Those of the photos of the next page that were not known before; now they are."""
        found = tuple(photo for photo in photos if photo.id not in self._ids)
        self._ids.update(photo.id for photo in found)
        self.idle = 0 if found else self.idle + 1
        return found


class Shown:
    """What the pages of a window have shown: how far back they went, and in what order.

    Args:
        window: The window.

    Attributes:
        in_order: Whether all photos came newest first.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._oldest: int | None = None
        self.in_order = True

    def add(self, photos: Iterable[Photo]) -> None:
        """Look at the photos of the next page."""
        for photo in photos:
            if photo.uploaded is None:
                self.in_order = False
                continue
            second = int(photo.uploaded.timestamp())
            self.in_order &= self._oldest is None or second <= self._oldest
            self._oldest = second if self._oldest is None else min(self._oldest, second)

    @property
    def only_newest(self) -> bool:
        """Whether all are of the last second, so that the window before may have shown them."""
        return self._oldest == self._window.end

    def rest(self) -> list[Window]:
        """What is left of the window when no further page can be asked for, earliest first."""
        window = self._window
        if window.start >= window.end:
            return []
        if self._oldest is None or not self.in_order:
            return list(window.halves())
        # Others of the oldest second may be left, unless it is all that could be shown.
        end = self._oldest if self._oldest < window.end else window.end - 1
        return [Window(window.start, end)]
