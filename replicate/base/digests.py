"""Digests: names made from content."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def sha256_bytes(data: bytes) -> str:
    """The SHA-256 of some bytes, as 64 hexadecimal digits.

    >>> sha256_bytes(b"")[:16]
    'e3b0c44298fc1c14'
    """
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's content, as 64 hexadecimal digits."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def canonical_json(value: Any) -> str:
    """JSON text that is the same for equal values: sorted keys, no spaces, no NaN.

    Raises:
        ValueError: A number is NaN or infinite.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest_value(value: Any) -> str:
    """The SHA-256 of a value's canonical JSON.

    >>> digest_value({"b": 1, "a": 2}) == digest_value({"a": 2, "b": 1})
    True
    """
    return sha256_bytes(canonical_json(value).encode())


def digest_rows(rows: Iterable[Any]) -> str:
    """The SHA-256 of a multiset of rows: their order does not matter, repeats do.

    Args:
        rows: JSON-serialisable rows.

    >>> digest_rows([["a", 1], ["b", 2]]) == digest_rows([["b", 2], ["a", 1]])
    True
    >>> digest_rows([["a", 1]]) == digest_rows([["a", 1], ["a", 1]])
    False
    """
    lines = sorted(canonical_json(row) for row in rows)
    return sha256_bytes("\n".join(lines).encode())
