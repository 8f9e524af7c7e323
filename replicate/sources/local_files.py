"""Files of this machine, and parts of files, by address."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from replicate.base.errors import ItemError


def part_address(path: Path, offset: int, length: int) -> str:
    """The address of a part of a file, such as one member of a tar.

    Args:
        path: An absolute path.
        offset: Where it begins, in bytes.
        length: How many bytes it has.
    """
    return f"{path.as_uri()}#bytes={offset},{length}"


def read_local(url: str, max_bytes: int) -> bytes:
    """The bytes of a file, or of the part of it that an address means.

    Raises:
        ItemError: It is not there (``gone``), may not be read (``forbidden``), is ``too_large``,
            ``empty``, or the file ends before the part does (``truncated``).
    """
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    part = re.fullmatch(r"bytes=(\d{1,18}),(\d{1,18})", parts.fragment)
    try:
        size = int(part[2]) if part else path.stat().st_size
        if size > max_bytes:
            raise ItemError("too_large", f"more than {max_bytes} bytes")
        with path.open("rb") as handle:
            handle.seek(int(part[1]) if part else 0)
            data = handle.read(size)
    except FileNotFoundError as error:
        raise ItemError("gone", str(error)) from error
    except (OSError, ValueError) as error:
        raise ItemError("forbidden", str(error)) from error
    if len(data) < size:
        raise ItemError("truncated", f"{path.name} ends after {len(data)} of {size} bytes")
    if not data:
        raise ItemError("empty", f"nothing in {path.name}")
    return data
