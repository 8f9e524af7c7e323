"""Opening a crowd server's database, and the few things that it always holds."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import DBAPIError

from replicate.base.databases import connect, schema_version, upgrade
from replicate.base.errors import UsageError
from replicate.base.randomness import token
from replicate.base.resources import data_dir
from replicate.crowdserver.tables import Hit, Setting, Worker

SCHEMA = "0003"


class Database:
    """A crowd server's database, at the schema that we speak.

    Args:
        place: A SQLite file, made if it is not there, or a database URL.
        seed: Makes all ids a function of this seed; for sandboxes only. By default the key that
            ids are made with is random and stays with the database.

    Raises:
        UsageError: It cannot be opened, or was made with another seed.
        GuardError: It is of a newer schema.
    """

    def __init__(self, place: Path | str, seed: int | None = None) -> None:
        self.engine = _connect(place)
        try:
            name = f"The crowd server's database {place}"
            version = schema_version(self.engine)
            upgrade(self.engine, version, data_dir("db") / "crowd", SCHEMA, name)
            with self.begin() as connection:
                self.key = _secret(connection, seed)
        except DBAPIError as error:
            self.engine.dispose()
            raise UsageError(
                f"The crowd server's database {place} cannot be opened: {error.orig}.",
                "Give --db a file that can be written, or a database URL.",
            ) from error
        except Exception:
            self.engine.dispose()
            raise

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction: committed when the block ends well, rolled back otherwise."""
        with self.engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Let go of the file."""
        self.engine.dispose()


def setting(connection: Connection, name: str) -> str | None:
    """A setting's value, or None."""
    return connection.execute(select(Setting.value).where(Setting.name == name)).scalar()


def set_setting(connection: Connection, name: str, value: str) -> None:
    """Keep a setting."""
    changed = connection.execute(update(Setting).where(Setting.name == name).values(value=value))
    if changed.rowcount == 0:
        connection.execute(insert(Setting).values(name=name, value=value))


def _connect(place: Path | str) -> Engine:
    url = str(place)
    if "://" not in url:
        path = Path(url)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Made readable by its owner alone: it holds the requesters' secrets.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise UsageError(
                f"The crowd server's database {path} cannot be opened: {error.strerror}.",
                "Give --db a file that can be written.",
            ) from error
        url = f"sqlite:///{path}"
    # The write lock is taken at once: a transaction that reads first and then writes could
    # otherwise be refused half-way because another process has written meanwhile.
    return connect(url, begin="BEGIN IMMEDIATE")


def _secret(connection: Connection, seed: int | None) -> bytes:
    kept = setting(connection, "secret")
    if seed is None:
        value = kept or secrets.token_hex(32)
    else:
        value = token(b"replicate sandbox crowd", seed, length=64)
        used = any(
            connection.execute(select(column).limit(1)).first() is not None
            for column in (Hit.hit_id, Worker.worker_id)
        )
        if kept is not None and kept != value and used:
            raise UsageError(
                "The crowd server's database was made with another seed, or with none.",
                "Start with the same --seed as before, or give --db a new file.",
            )
    if value != kept:
        set_setting(connection, "secret", value)
    return bytes.fromhex(value)
