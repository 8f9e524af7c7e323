"""What was downloaded is looked at and, if it is a whole still image, kept."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Generic, TypeVar

from replicate.base.blobs import Blobs
from replicate.base.errors import ItemError
from replicate.base.executors import run
from replicate.base.images import decode
from replicate.sources.download import Outcome

K = TypeVar("K")

_PIECE = 8  # files handed to a process at a time
_Found = tuple[str | None, str | None, tuple[int, int], int]


@dataclass(frozen=True, slots=True)
class Kept(Generic[K]):
    """What became of one download.

    Attributes:
        key: The caller's key.
        attempts: How often it was asked for.
        reason: Why there is no image; None: there is one.
        image_id: SHA-256 of the file that is in the store now; None: there is none.
        size: Width and height in pixels, upright; (0, 0) without an image.
        n_bytes: The file's size; 0 without an image.
    """

    key: K
    attempts: int
    reason: str | None
    image_id: str | None = None
    size: tuple[int, int] = (0, 0)
    n_bytes: int = 0


@dataclass(frozen=True)
class Keeper:
    """Keeps whole still images.

    Attributes:
        images: Where.
        max_pixels: Larger images are refused before they are decoded.
        min_side: So are those whose shorter side has fewer pixels.
    """

    images: Blobs
    max_pixels: int
    min_side: int

    def keep(self, outcomes: Iterable[Outcome[K]], workers: int = 1) -> Iterator[Kept[K]]:
        """Decode downloads and put the files of those that are whole images into the store.

        Args:
            outcomes: The downloads; they are taken as they are needed.
            workers: Processes that decode; 1: this one.
        """
        on_their_way: deque[list[Outcome[K]]] = deque()

        def pieces() -> Iterator[list[bytes | None]]:
            source = iter(outcomes)
            while piece := list(islice(source, _PIECE if workers > 1 else 1)):
                on_their_way.append([replace(outcome, data=None) for outcome in piece])
                yield [outcome.data for outcome in piece]

        for found in run(self.look, pieces(), workers=workers):
            for outcome, (reason, image_id, size, n_bytes) in zip(
                on_their_way.popleft(), found, strict=True
            ):
                yield Kept(
                    outcome.key,
                    outcome.attempts,
                    outcome.reason or reason,
                    image_id,
                    size,
                    n_bytes,
                )

    def look(self, files: list[bytes | None]) -> list[_Found]:
        """What some files are: a reason why not, or image id, size and bytes of what was kept."""
        return [self._look(data) for data in files]

    def _look(self, data: bytes | None) -> _Found:
        if data is None:
            return None, None, (0, 0), 0
        try:
            size = decode(data, self.max_pixels, self.min_side).size
        except ItemError as error:
            return error.reason, None, (0, 0), 0
        return None, self.images.put(data), size, len(data)
