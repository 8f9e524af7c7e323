"""Where images are kept: files named by the SHA-256 of their content, in a folder or on S3."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from replicate.base.errors import UsageError
from replicate.base.files import BlobStore

S3 = "s3://"


class Blobs(Protocol):
    """A store of contents, each named by its SHA-256.

    A content is there whole or not at all; putting the same again does nothing. Whoever needs
    bytes asks for them with `get`: they need not lie in any file.
    """

    @property
    def location(self) -> str:
        """Where the store is: what `open_blobs` opens it by."""
        ...

    def where(self, digest: str) -> str:
        """Where the content of that digest is, or would be, for a person."""
        ...

    def put(self, data: bytes) -> str:
        """Keep some content; its SHA-256, in hexadecimal."""
        ...

    def get(self, digest: str) -> bytes:
        """The content of that digest.

        Raises:
            FileNotFoundError: It is not there.
        """
        ...

    def exists(self, digest: str) -> bool:
        """Whether the content of that digest is there."""
        ...

    def missing(self, digests: Iterable[str]) -> list[str]:
        """Those of these digests whose content is not there, in their order."""
        ...

    def adopt(self, other: "Blobs", digest: str) -> str:
        """Keep some content that another store holds, without a transfer where that is possible.

        Raises:
            FileNotFoundError: The other store does not hold it.
        """
        ...

    def delete(self, digest: str) -> bool:
        """Delete the content of that digest; whether it was there."""
        ...


def open_blobs(place: str | Path) -> Blobs:
    """The store at a place; nothing is asked of it before it is used.

    Args:
        place: A folder, or ``s3://bucket/prefix``.

    Raises:
        UsageError: It is another kind of address, or names no bucket.
    """
    text = str(place)
    if text.startswith(S3):
        from replicate.base.s3 import S3Blobs

        bucket, _, prefix = text.removeprefix(S3).partition("/")
        if not bucket:
            raise UsageError(f"{text} names no bucket.", "Write s3://BUCKET/PREFIX.")
        return S3Blobs(bucket, prefix.strip("/"))
    if "://" in text:
        raise UsageError(
            f"Images cannot be kept at {text}.", "Name a folder, or s3://BUCKET/PREFIX."
        )
    return BlobStore(Path(place))


def below(place: str | Path, name: str) -> str | Path:
    """The place of that name below another: a subfolder, or a longer prefix."""
    text = str(place)
    return f"{text.rstrip('/')}/{name}" if text.startswith(S3) else Path(place) / name
