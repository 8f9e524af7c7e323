"""Opening a study's database: SQLite or PostgreSQL, brought to the schema that we speak."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from replicate.base.errors import GuardError, MissingError, ReplicateError
from replicate.base.resources import data_dir

SCHEMA = "0001"


def connect(url: str) -> Engine:
    """An engine for a database URL; SQLite gets WAL, a busy timeout and foreign keys.

    Raises:
        MissingError: The URL needs a driver that is not installed.
    """
    try:
        engine = create_engine(url)
    except ModuleNotFoundError as error:
        raise MissingError(
            f"The database {url.split(':')[0]!r} needs the package {error.name!r}.",
            "Install it: pip install 'replicate-testsets[postgres]'",
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_pragmas)
        event.listen(engine, "begin", _sqlite_begin)
    return engine


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path}"


def _sqlite_pragmas(connection: Any, _record: Any) -> None:
    # Python's own transaction handling leaves DDL outside transactions, so a migration that is
    # killed would leave half a schema; we say BEGIN ourselves.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "busy_timeout = 30000", "foreign_keys = ON"):
        cursor.execute(f"PRAGMA {pragma}")
    # NORMAL is safe against a killed process in WAL mode; only a power cut may lose the last
    # transactions, never tear one.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _sqlite_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def schema_version(engine: Engine) -> str | None:
    """The schema version that a database is at; None for an empty one."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(engine: Engine) -> None:
    """Bring a database to our schema; does nothing when it is there already.

    Raises:
        GuardError: The database is of a newer schema than ours.
        ReplicateError: The database cannot be reached.
    """
    try:
        version = schema_version(engine)
    except DBAPIError as error:
        raise ReplicateError(
            f"The study's database cannot be opened: {error.orig}.",
            "Check [study] database and REPLICATE_DATABASE_URL, then: replicate doctor",
        ) from error
    if version == SCHEMA:
        return
    folder = data_dir("db") / "study"
    known = {path.name.split("_")[0] for path in (folder / "versions").glob("[0-9]*.py")}
    if version is not None and version not in known:
        raise GuardError(
            f"This study's database has schema {version}, newer than {SCHEMA}, which this "
            "version of replicate speaks. Nothing was changed.",
            "Install the newer replicate: pip install --upgrade replicate-testsets",
        )
    _migrate(engine, folder)


def _migrate(engine: Engine, folder: Path) -> None:
    # Imported late: a study that is up to date never needs it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def session(engine: Engine) -> Iterator[Session]:
    """One transaction: committed when the block ends well, rolled back otherwise."""
    with Session(engine, expire_on_commit=False) as open_session, open_session.begin():
        yield open_session
