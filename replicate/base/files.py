"""Files that are either whole or not there."""

import json
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicate.base.digests import sha256_bytes

if TYPE_CHECKING:
    from replicate.base.blobs import Blobs


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place when the block ends well.

    Whatever goes wrong, ``path`` holds either its old content or the whole new one, and no
    temporary file is left behind (a process that is killed leaves one, which no reader sees:
    its name begins with a dot).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a whole file, or nothing."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a whole UTF-8 text file, or nothing."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write a value as readable JSON: a whole file, or nothing."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """The value that a JSON file holds."""
    return json.loads(path.read_text(encoding="utf-8"))


class BlobStore:
    """Files named by the SHA-256 of their content, in a folder.

    A file appears whole or not at all; putting the same content again does nothing.

    Args:
        root: The folder; made when the first file is put.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def location(self) -> str:
        """The folder."""
        return str(self.root)

    def where(self, digest: str) -> str:
        """Where the content of that digest is, or would be, for a person."""
        return str(self.path(digest))

    def exists(self, digest: str) -> bool:
        """Whether the content of that digest is there."""
        return self.path(digest).is_file()

    def missing(self, digests: Iterable[str]) -> list[str]:
        """Those of these digests whose content is not there, in their order."""
        return [digest for digest in digests if not self.exists(digest)]

    def path(self, digest: str) -> Path:
        """Where the content of that digest is, or would be."""
        return self.root / digest[:2] / digest

    def put(self, data: bytes) -> str:
        """Keep some content.

        Returns:
            Its SHA-256, in hexadecimal.
        """
        digest = sha256_bytes(data)
        target = self.path(digest)
        if not target.exists():
            temporary = target.with_name(f".{digest}.{secrets.token_hex(4)}.partial")
            try:
                try:
                    temporary.write_bytes(data)
                except FileNotFoundError:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    temporary.write_bytes(data)
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        return digest

    def adopt(self, other: "Blobs", digest: str) -> str:
        """Keep some content that another store holds, without a copy where that is possible.

        Making a file costs ten times as much as a further name for one; files named by their
        content are never changed, so sharing them is safe.

        Raises:
            FileNotFoundError: The other store does not hold it.
        """
        target = self.path(digest)
        if target.exists():
            return digest
        if not isinstance(other, BlobStore):
            return self.put(other.get(digest))
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(other.path(digest))
        except FileExistsError:
            return digest
        except OSError:  # no hard links here, or between these two
            return self.put(other.get(digest))
        return digest

    def get(self, digest: str) -> bytes:
        """The content of that digest.

        Raises:
            FileNotFoundError: It is not there.
        """
        return self.path(digest).read_bytes()

    def delete(self, digest: str) -> bool:
        """Delete the content of that digest; whether it was there."""
        try:
            self.path(digest).unlink()
        except FileNotFoundError:
            return False
        return True
