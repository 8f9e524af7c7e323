"""On which line of a TOML file each key stands.

`tomllib` gives values without places, and an error without a line makes people search.
"""

import re

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_-]+(?:\s*\.\s*[A-Za-z0-9_-]+)*|\"[^\"]+\"|'[^']+')\s*=")


def key_lines(text: str) -> dict[tuple[str | int, ...], int]:
    r"""Where tables and keys stand.

    Args:
        text: A valid TOML document. Keys inside inline tables and lines of multi-line values
            are not listed; the key that they belong to is.

    Returns:
        Line numbers, from 1, by path: ``("label", "reward")``; tables of an array carry their
        index: ``("sample", 0, "name")``.

    >>> key_lines("[a]\nb = 1\n[[c]]\nd = 2")[("c", 0, "d")]
    4
    """
    lines: dict[tuple[str | int, ...], int] = {}
    counts: dict[tuple[str | int, ...], int] = {}
    table: tuple[str | int, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header:
            parts = tuple(part.strip().strip("\"'") for part in header.group(2).split("."))
            table = _enter(parts, header.group(1) == "[[", counts)
            lines.setdefault(table, number)
            lines.setdefault(parts, number)
            continue
        key = _KEY.match(line)
        if key:
            inner = tuple(part.strip().strip("\"'") for part in key.group(1).split("."))
            lines.setdefault((*table, *inner), number)
    return lines


def _enter(
    parts: tuple[str, ...], array: bool, counts: dict[tuple[str | int, ...], int]
) -> tuple[str | int, ...]:
    path: tuple[str | int, ...] = ()
    for position, part in enumerate(parts):
        path = (*path, part)
        last = position == len(parts) - 1
        if array and last:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path
