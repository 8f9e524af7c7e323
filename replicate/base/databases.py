"""Opening a database, SQLite or another by URL, at the schema that we speak."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, inspect, text

from replicate.base.errors import GuardError, MissingError

PRAGMAS = (
    "journal_mode = WAL",
    "busy_timeout = 30000",
    "foreign_keys = ON",
    # NORMAL is safe against a killed process in WAL mode; only a power cut may lose the last
    # transactions, never tear one.
    "synchronous = NORMAL",
)


def connect(url: str, begin: str = "BEGIN", *, durable: bool = False) -> Engine:
    """An engine for a database URL; SQLite gets WAL, a busy timeout and foreign keys.

    Errors of the database never show the values that a statement was given: they may be secrets.

    Args:
        url: The database's URL.
        begin: How a transaction begins on SQLite: ``BEGIN IMMEDIATE`` takes the write lock at
            once, for several writers.
        durable: Whether on SQLite what is committed has to survive a power cut; PostgreSQL does
            so unless it is set up otherwise.

    Raises:
        MissingError: The URL needs a driver that is not installed.
    """
    try:
        # A connection that the other side has closed meanwhile is opened again.
        ping = not url.startswith("sqlite")
        engine = create_engine(url, hide_parameters=True, pool_pre_ping=ping)
    except ModuleNotFoundError as error:
        raise MissingError(
            f"The database {url.split(':')[0]!r} needs the package {error.name!r}.",
            "Install it: pip install 'replicate-testsets[postgres]'",
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_pragmas)
        if durable:
            event.listen(engine, "connect", _full_synchronous)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _sqlite_pragmas(connection: Any, _record: Any) -> None:
    # Python's own transaction handling leaves DDL outside transactions, so a migration that is
    # killed would leave half a schema; we say BEGIN ourselves.
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(f"PRAGMA {pragma}").close()


def _full_synchronous(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA synchronous = FULL").close()


def schema_version(engine: Engine) -> str | None:
    """The schema version that a database is at; None for an empty one."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(engine: Engine, version: str | None, folder: Path, schema: str, name: str) -> None:
    """Bring a database to our schema; does nothing when it is there already.

    Args:
        engine: The database.
        version: The schema that it is at, as `schema_version` says.
        folder: Its migrations.
        schema: The schema that we speak.
        name: What the message calls it: "This study's database".

    Raises:
        GuardError: The database is of a newer schema than ours.
    """
    if version == schema:
        return
    known = {path.name.split("_")[0] for path in (folder / "versions").glob("[0-9]*.py")}
    if version is not None and version not in known:
        raise GuardError(
            f"{name} has schema {version}, newer than {schema}, which this version of replicate "
            "speaks. Nothing was changed.",
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
