"""Opening a crowd server's database, and the few things that it always holds."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError

from replicate.base.errors import GuardError, UsageError
from replicate.base.randomness import token
from replicate.base.resources import data_dir
from replicate.crowdserver.tables import Hit, Setting, Worker

SCHEMA = "0001"


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
            _upgrade(self.engine, str(place))
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
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _pragmas)
        event.listen(engine, "begin", _begin)
    return engine


def _pragmas(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, so that DDL is inside as well
    for pragma in (
        "journal_mode = WAL",
        "busy_timeout = 30000",
        "foreign_keys = ON",
        "synchronous = NORMAL",  # safe against a killed process; see the SQLite manual on WAL
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # The write lock is taken at once: a transaction that reads first and then writes could
    # otherwise be refused half-way because another process has written meanwhile.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _upgrade(engine: Engine, place: str) -> None:
    with engine.connect() as connection:
        version = None
        if inspect(connection).has_table("alembic_version"):
            version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if version == SCHEMA:
        return
    folder = data_dir("db") / "crowd"
    known = {path.name.split("_")[0] for path in (folder / "versions").glob("[0-9]*.py")}
    if version is not None and version not in known:
        raise GuardError(
            f"The crowd server's database {place} has schema {version}, newer than {SCHEMA}, "
            "which this version of replicate speaks. Nothing was changed.",
            "Install the newer replicate: pip install --upgrade replicate-testsets",
        )
    # Imported late: a database that is up to date never needs it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


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
