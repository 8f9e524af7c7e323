"""Names of files with parameters: ``path?key=value&key=value``."""

from collections.abc import Collection
from pathlib import Path
from urllib.parse import parse_qsl

from replicate.base.errors import MissingError, UsageError


def split_query(rest: str, known: Collection[str] | None) -> tuple[str, dict[str, str]]:
    """What stands before the question mark, and the parameters after it.

    Args:
        rest: The text.
        known: The parameters that there are; None: whatever is given, once each.

    Raises:
        UsageError: A parameter is unknown, or given twice.

    >>> split_query("w.safetensors?arch=timm:vgg11", ("arch",))
    ('w.safetensors', {'arch': 'timm:vgg11'})
    """
    path, _, query = rest.partition("?")
    values: dict[str, str] = {}
    for key, value in parse_qsl(query, keep_blank_values=True, strict_parsing=False):
        if key in values or (known is not None and key not in known):
            raise UsageError(
                f"{rest!r} has the parameter {key!r}{' twice' if key in values else ''}.",
                f"Known: {', '.join(known or ())}; each at most once.",
            )
        values[key] = value
    return path, values


def the_file(root: Path, path: str, what: str) -> Path:
    """A file that a name points to.

    Raises:
        MissingError: It is not there.
    """
    full = (root / Path(path).expanduser()).resolve()
    if not full.is_file():
        raise MissingError(f"There is no {what} at {full}.")
    return full
