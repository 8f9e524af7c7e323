"""Opening a crowd server's database, and the few things that it always holds."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, event, insert, make_url, select, update
from sqlalchemy.exc import ArgumentError, DBAPIError

from replicate.base.databases import connect, schema_version, upgrade
from replicate.base.errors import UsageError
from replicate.base.randomness import token
from replicate.base.resources import data_dir
from replicate.crowdserver.tables import Hit, Setting, Worker

SCHEMA = "0004"
_LOCK = 7_265_706  # of PostgreSQL's advisory locks, the one that our transactions take


class Database:
    """A crowd server's database, at the schema that we speak.

    Args:
        place: A SQLite file, made if it is not there, or a database URL.
        seed: Makes all ids a function of this seed; for sandboxes only. By default the key that
            ids are made with is random and stays with the database.
        durable: Whether what is committed has to survive a power cut; a commit then waits for
            the disk. Killed processes lose nothing in any case.

    Raises:
        UsageError: It cannot be opened, or was made with another seed.
        GuardError: It is of a newer schema.
    """

    def __init__(self, place: Path | str, seed: int | None = None, *, durable: bool = True) -> None:
        url, shown = _url(place)
        # A transaction that reads first and then writes could be refused half-way, or see what
        # another process is about to change: each takes the one lock for writing at once.
        self.engine = connect(url, begin="BEGIN IMMEDIATE", durable=durable)
        if self.engine.dialect.name == "postgresql":
            event.listen(self.engine, "begin", _take_lock)
        self.reader = connect(url).execution_options(postgresql_readonly=True)
        try:
            name = f"The crowd server's database {shown}"
            version = schema_version(self.engine)
            upgrade(self.engine, version, data_dir("db") / "crowd", SCHEMA, name)
            with self.begin() as connection:
                self.key = _secret(connection, seed)
        except DBAPIError as error:
            self.close()
            raise UsageError(
                f"The crowd server's database {shown} cannot be opened: {error.orig}.",
                "Give --db a file that can be written, or a database URL.",
            ) from error
        except Exception:
            self.close()
            raise

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction: committed when the block ends well, rolled back otherwise."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A view of one moment, from any thread, that keeps no writer waiting."""
        with self.reader.connect() as connection:
            yield connection

    def close(self) -> None:
        """Let go of the file."""
        self.reader.dispose()
        self.engine.dispose()


def setting(connection: Connection, name: str) -> str | None:
    """A setting's value, or None."""
    return connection.execute(select(Setting.value).where(Setting.name == name)).scalar()


def set_setting(connection: Connection, name: str, value: str) -> None:
    """Keep a setting."""
    changed = connection.execute(update(Setting).where(Setting.name == name).values(value=value))
    if changed.rowcount == 0:
        connection.execute(insert(Setting).values(name=name, value=value))


def _url(place: Path | str) -> tuple[str, str]:
    """The database's URL, and how messages name it: without a password."""
    url = str(place)
    if "://" in url:
        try:
            return url, make_url(url).render_as_string(hide_password=True)
        except ArgumentError as error:
            raise UsageError(
                "The crowd server's database URL cannot be read.",
                "Give --db a file, or a URL such as postgresql+psycopg://USER@HOST/NAME.",
            ) from error
    path = Path(url)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Readable by its owner alone: it holds the requesters' secrets. (A file that is there is
        # not opened: closing it would end the locks that this process may hold on it.)
        if path.exists():
            if path.is_file() and path.stat().st_mode & 0o077:
                path.chmod(0o600)
        else:
            path.touch(0o600)
    except OSError as error:
        raise UsageError(
            f"The crowd server's database {path} cannot be opened: {error.strerror}.",
            "Give --db a file that can be written.",
        ) from error
    return f"sqlite:///{path}", str(path)


def _take_lock(connection: Connection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


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
