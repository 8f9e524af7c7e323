"""Opening a study's database: SQLite or PostgreSQL, brought to the schema that we speak."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from replicate.base import databases
from replicate.base.databases import connect, schema_version
from replicate.base.errors import GuardError, ReplicateError
from replicate.base.files import atomic_path
from replicate.base.resources import data_dir

__all__ = ["SCHEMA", "connect", "schema_version", "session", "sqlite_url", "upgrade"]

SCHEMA = "0014"


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite:///{path}"


def upgrade(
    engine: Engine, allowed: bool = True, tell: Callable[[str], None] = lambda _: None
) -> None:
    """Bring a study's database to our schema; does nothing when it is there already.

    An older version cannot open it from then on. So it is never done unsaid, and a SQLite file is
    copied before, beside it.

    Args:
        engine: The database.
        allowed: Whether a database of an older schema may be changed.
        tell: Is told what was done to a database of an older schema.

    Raises:
        GuardError: The database is of a newer schema than ours; or of an older one, and may not
            be changed.
        ReplicateError: The database cannot be reached.
    """
    try:
        version = schema_version(engine)
    except DBAPIError as error:
        raise ReplicateError(
            f"The study's database cannot be opened: {error.orig}.",
            "Check [study] database and REPLICATE_DATABASE_URL, then: replicate doctor",
        ) from error
    older = version is not None and version < SCHEMA
    if older and not allowed:
        raise GuardError(
            f"This study's database has schema {version}, of an earlier version of replicate; this "
            f"one speaks {SCHEMA}. Nothing was changed.",
            "Bring it up to date: replicate db upgrade. An earlier version cannot open it then; a "
            "SQLite file is copied first.",
        )
    copy = _copied(engine, str(version)) if older else None
    databases.upgrade(engine, version, data_dir("db") / "study", SCHEMA, "This study's database")
    if older:
        kept = f"; as it was, it is in {copy}" if copy else ""
        tell(f"The study's database was brought from schema {version} to {SCHEMA}{kept}.")


def _copied(engine: Engine, version: str) -> Path | None:
    """A copy of a SQLite file beside it, named after its schema; None for another database."""
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return None
    path = Path(engine.url.database)
    copy = path.with_name(f"{path.name}.schema-{version}")
    with (
        atomic_path(copy) as temporary,
        closing(sqlite3.connect(path)) as source,
        closing(sqlite3.connect(temporary)) as target,
    ):
        source.backup(target)
    return copy


@contextmanager
def session(engine: Engine) -> Iterator[Session]:
    """One transaction: committed when the block ends well, rolled back otherwise."""
    with Session(engine, expire_on_commit=False) as open_session, open_session.begin():
        yield open_session
