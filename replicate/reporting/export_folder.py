"""A folder of an export while it is written: every file's digest is kept, in ``export.json``."""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from replicate.base.digests import digest_value

MANIFEST = "export.json"
SET = "set.json"

# What files begin with, by the ending that readers expect.
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
    (b"II*\x00", ".tif"),
    (b"MM\x00*", ".tif"),
    (b"P5", ".pgm"),
    (b"P6", ".ppm"),
)


def suffix_of(data: bytes) -> str:
    r"""The ending that the name of an image file should have.

    >>> suffix_of(b"\xff\xd8\xff\xe0")
    '.jpg'
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    return next((suffix for magic, suffix in _MAGIC if data.startswith(magic)), ".img")


class _Hashing(io.RawIOBase):
    """A file that knows the digest of what was written to it."""

    def __init__(self, handle: BinaryIO) -> None:
        self._handle = handle
        self._digest = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._digest.update(view)
        self._handle.write(view)
        self.size += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        return self.size

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


class Folder:
    """The files of one export.

    Args:
        root: The folder that they are written to; it is there.

    Attributes:
        files: By path within the folder: ``{"sha256": …, "bytes": …}``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, dict[str, Any]] = {}
        self._made = {root}

    def add(self, path: str, data: bytes) -> None:
        """Write one file."""
        with self.open(path) as handle:
            handle.write(data)

    def add_text(self, path: str, text: str) -> None:
        """Write one text file, UTF-8."""
        self.add(path, text.encode())

    def add_json(self, path: str, value: Any) -> None:
        """Write one readable JSON file."""
        self.add_text(path, json_text(value))

    def add_csv(self, path: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Write one table as CSV: what is not known is an empty cell, truth is true or false."""
        with self.open(path) as handle:
            text = io.TextIOWrapper(handle, encoding="utf-8", newline="", write_through=True)
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(columns)
            for row in rows:
                writer.writerow([_cell(value) for value in row])
            text.flush()
            text.detach()

    @contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """A new file to be written from its beginning to its end."""
        target = self.root / path
        if target.parent not in self._made:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._made.add(target.parent)
        with target.open("xb") as handle:
            hashing = _Hashing(handle)
            yield hashing  # type: ignore[misc]
        self.files[path] = {"sha256": hashing.hexdigest(), "bytes": hashing.size}

    def part(self, name: str) -> "Folder":
        """An export of its own in a folder below."""
        root = self.root / name
        root.mkdir()
        return Folder(root)

    def finish(self, about: dict[str, Any]) -> dict[str, Any]:
        """Write ``export.json``: what the export is, and every file with its digest.

        Returns:
            What was written.
        """
        values = {**about, "files": dict(sorted(self.files.items()))}
        values["export_digest"] = digest_value(values)
        (self.root / MANIFEST).write_text(json_text(values), encoding="utf-8")
        return values


def json_text(value: Any) -> str:
    """Readable JSON with sorted keys."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value
