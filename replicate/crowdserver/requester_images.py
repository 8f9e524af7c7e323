"""Addresses of images on the requester's pages: signed, and good for some hours."""

import hmac
import re
import secrets

from replicate.base.randomness import token

ROOT = "/requester/images"
_HOUR = 3600
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class ImageAddresses:
    """Makes and reads addresses that show an image to whoever has one, until they end.

    The page of a HIT is shown in a sandbox, whose requests carry no cookie; so the right to see
    an image is in its address. The key is made anew with each start of the server.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def make(self, digest: str, now: float) -> str:
        """The address of an image; the same for an hour or so, for browsers to keep."""
        until = (int(now) // _HOUR + 2) * _HOUR
        return f"{ROOT}/{until}/{digest}/{self._mark(until, digest)}"

    def read(self, until: str, digest: str, mark: str, now: float) -> tuple[str, int] | None:
        """The image and the seconds that its address holds on, or None."""
        if not _DIGEST.match(digest) or not until.isdecimal() or len(until) > 12:
            return None
        left = int(until) - int(now)
        right = hmac.compare_digest(self._mark(int(until), digest).encode(), mark.encode())
        return (digest, left) if right and left > 0 else None

    def _mark(self, until: int, digest: str) -> str:
        return token(self._key, "requester image", until, digest)
