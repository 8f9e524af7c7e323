"""Images: their files, and the addresses that each assignment has of its own.

An address tells nothing: it is a keyed hash of the assignment and of the image's place on the
page, and it holds only while the assignment is being worked on.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from replicate.base.digests import sha256_bytes
from replicate.base.files import BlobStore
from replicate.base.randomness import token

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
    """The images of a folder, those last used kept in memory.

    Args:
        folder: Where they are: ``<first two hex digits>/<sha256>``; None for no images at all.
        limit: Bytes to keep in memory.
    """

    def __init__(self, folder: Path | None, limit: int = 256 << 20) -> None:
        self._blobs = None if folder is None else BlobStore(folder)
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[str, Picture] = OrderedDict()

    def get(self, digest: str) -> Picture | None:
        """The image with that SHA-256, or None if it is not there or not an image."""
        if self._blobs is None:
            return None
        found = self._kept.get(digest)
        if found is not None and self._blobs.path(digest).is_file():
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


@dataclass(frozen=True)
class Issue:
    """The addresses of one assignment.

    Attributes:
        digests: The images, in the page's order.
        accepted: When the assignment was accepted; taking it up again gives new addresses.
        deadline: When they end.
    """

    digests: Sequence[str]
    accepted: float
    deadline: float


class Addresses:
    """Which address means which image, for the assignments being worked on.

    Args:
        key: The server's secret.
        find: Looks an assignment up; None if nobody is working on it. Called for assignments
            that are not in memory, after a restart for instance.
        limit: Assignments to keep in memory.
    """

    def __init__(self, key: bytes, find: Callable[[str], Issue | None], limit: int = 2000) -> None:
        self._key = key
        self._find = find
        self._limit = limit
        self._kept: OrderedDict[str, tuple[float, dict[str, str]]] = OrderedDict()

    def issue(self, assignment: str, issue: Issue) -> list[str]:
        """The addresses of an assignment's images, in the page's order."""
        tokens = [
            token(self._key, "image", assignment, repr(issue.accepted), place)
            for place in range(len(issue.digests))
        ]
        self._kept[assignment] = (
            issue.deadline,
            dict(zip(tokens, issue.digests, strict=True)),
        )
        self._kept.move_to_end(assignment)
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)
        return [f"/i/{assignment}/{name}" for name in tokens]

    def digest(self, assignment: str, name: str, now: float) -> tuple[str, float] | None:
        """The image that an address means and the seconds that it holds on, or None."""
        kept = self._kept.get(assignment)
        if kept is None:
            found = self._find(assignment)
            if found is None:
                return None
            self.issue(assignment, found)
            kept = self._kept[assignment]
        deadline, images = kept
        digest = images.get(name)
        if digest is None or deadline <= now:
            return None
        return digest, deadline - now

    def end(self, assignment: str) -> None:
        """Let an assignment's addresses end now."""
        self._kept.pop(assignment, None)
