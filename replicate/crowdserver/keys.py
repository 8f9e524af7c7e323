"""Requesters' keys: made, listed and revoked on the server's machine."""

import re
import secrets
import string
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, insert, select, update

from replicate.base.errors import UsageError
from replicate.crowdserver.database import Database
from replicate.crowdserver.tables import Key

REQUESTER = "default"  # the account of keys that are made without naming one
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
_LETTERS = string.ascii_uppercase + string.digits


@dataclass(frozen=True)
class Account:
    """A key that works.

    Attributes:
        access_key_id: The key's id.
        secret: Its secret.
        requester: The account that it acts for.
    """

    access_key_id: str
    secret: str
    requester: str


@dataclass(frozen=True)
class KeyRecord:
    """A key as it is listed, without its secret.

    Attributes:
        access_key_id: The key's id.
        requester: The account that it acts for.
        created: When it was made, in seconds since 1970.
        revoked: When it was revoked; None: it works.
    """

    access_key_id: str
    requester: str
    created: float
    revoked: float | None


def find_key(connection: Connection, access_key_id: str) -> Account | None:
    """A key by its id; None if there is none, or it was revoked."""
    query = select(Key.access_key_id, Key.secret, Key.requester).where(
        Key.access_key_id == access_key_id, Key.revoked.is_(None)
    )
    row = connection.execute(query).first()
    return None if row is None else Account(*row)


def add_key(db: Path | str, requester: str = REQUESTER) -> tuple[str, str]:
    """Make a requester's key.

    Args:
        db: The server's database; made if it is not there.
        requester: The account that it acts for: each sees its own HITs only.

    Returns:
        The access key id and the secret access key, as an AWS client wants them.

    Raises:
        UsageError: The name is not one.
    """
    if not _NAME.match(requester):
        raise UsageError(
            f"{requester!r} is not a name for a requester.",
            "Give letters, digits, dots, hyphens and underscores, 63 at most.",
        )
    access = "RPL" + "".join(secrets.choice(_LETTERS) for _ in range(17))
    secret = secrets.token_urlsafe(30)
    with _connection(db) as connection:
        row = {"access_key_id": access, "secret": secret, "requester": requester}
        connection.execute(insert(Key).values(**row, created=time.time()))
    return access, secret


def list_keys(db: Path | str) -> list[KeyRecord]:
    """All keys, the oldest first, revoked ones too."""
    query = select(Key.access_key_id, Key.requester, Key.created, Key.revoked)
    with _connection(db) as connection:
        rows = connection.execute(query.order_by(Key.created, Key.access_key_id))
        return [KeyRecord(*row) for row in rows]


def revoke_key(db: Path | str, access_key_id: str) -> None:
    """Let a key work no more, from the next request on. Doing it twice does no harm.

    Raises:
        UsageError: There is no such key.
    """
    with _connection(db) as connection:
        known = select(Key.access_key_id).where(Key.access_key_id == access_key_id)
        if connection.execute(known).first() is None:
            raise UsageError(
                f"There is no key {access_key_id} in {db}.",
                f"See the keys that there are: replicate crowd keys list --db {db}",
            )
        connection.execute(
            update(Key)
            .where(Key.access_key_id == access_key_id, Key.revoked.is_(None))
            .values(revoked=time.time())
        )


@contextmanager
def _connection(db: Path | str) -> Iterator[Connection]:
    database = Database(db)
    try:
        with database.begin() as connection:
            yield connection
    finally:
        database.close()
