"""Image files as pages send them, those last used kept in memory."""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from replicate.base.blobs import open_blobs
from replicate.base.digests import sha256_bytes

_KINDS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)


@dataclass(frozen=True)
class Picture:
    """An image as it is sent."""

    data: bytes
    kind: str


class Pictures:
    """The images of a store, those last used kept in memory.

    Args:
        place: The folder where they are, ``<first two hex digits>/<sha256>``, or their place on
            S3; None for no images at all.
        limit: Bytes to keep in memory.
    """

    def __init__(self, place: Path | str | None, limit: int = 256 << 20) -> None:
        self._blobs = None if place is None else open_blobs(place)
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[str, Picture] = OrderedDict()

    def get(self, digest: str) -> Picture | None:
        """The image with that SHA-256, or None if it is not there or not an image."""
        if self._blobs is None:
            return None
        found = self._kept.get(digest)
        if found is not None and self._blobs.exists(digest):
            self._kept.move_to_end(digest)
            return found
        if found is not None:  # it was deleted, so it is not shown any more
            self._size -= len(self._kept.pop(digest).data)
            return None
        try:
            data = self._blobs.get(digest)
        except OSError:
            return None
        kind = next((kind for start, kind in _KINDS if data.startswith(start)), None)
        # A link to another file, or a file that was changed, is not the image of that name.
        if kind is None or sha256_bytes(data) != digest:
            return None
        found = Picture(data, kind)
        self._keep(digest, found)
        return found

    def _keep(self, digest: str, picture: Picture) -> None:
        self._kept[digest] = picture
        self._size += len(picture.data)
        while self._size > self._limit and len(self._kept) > 1:
            _, old = self._kept.popitem(last=False)
            self._size -= len(old.data)
