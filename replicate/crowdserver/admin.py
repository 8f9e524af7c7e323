"""Keys of requesters and invitations of workers."""

from collections.abc import Sequence
from pathlib import Path


def add_key(db: Path | str) -> tuple[str, str]:
    """Make a requester's key: its id and its secret."""
    raise LookupError(db)


def invite(
    db: Path | str,
    count: int = 1,
    *,
    names: Sequence[str] | None = None,
    base_url: str | None = None,
) -> list[str]:
    """Invitation links, one for each worker; the same name gives the same link and worker."""
    raise LookupError(db, count, names, base_url)
