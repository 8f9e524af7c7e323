"""Opening a study's database: SQLite or PostgreSQL, brought to the schema that we speak."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from replicate.base import databases
from replicate.base.databases import connect, schema_version
from replicate.base.errors import ReplicateError
from replicate.base.resources import data_dir

__all__ = ["SCHEMA", "connect", "schema_version", "session", "sqlite_url", "upgrade"]

SCHEMA = "0013"


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path}"


def upgrade(engine: Engine) -> None:
    """Bring a study's database to our schema; does nothing when it is there already.

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
    databases.upgrade(engine, version, data_dir("db") / "study", SCHEMA, "This study's database")


@contextmanager
def session(engine: Engine) -> Iterator[Session]:
    """One transaction: committed when the block ends well, rolled back otherwise."""
    with Session(engine, expire_on_commit=False) as open_session, open_session.begin():
        yield open_session
