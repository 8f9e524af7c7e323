"""What was downloaded is looked at and, if it is a whole still image, kept."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from replicate.base.blobs import Blobs
from replicate.base.errors import ItemError
from replicate.base.images import decode
from replicate.sources.download import Outcome

K = TypeVar("K")


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

    def keep(self, outcome: Outcome[K]) -> Kept[K]:
        """Decode a download and put its file into the store."""
        data = outcome.data
        if data is None:
            return Kept(outcome.key, outcome.attempts, outcome.reason)
        try:
            size = decode(data, self.max_pixels, self.min_side).size
        except ItemError as error:
            return Kept(outcome.key, outcome.attempts, error.reason)
        image_id = self.images.put(data)
        return Kept(outcome.key, outcome.attempts, None, image_id, size, len(data))
