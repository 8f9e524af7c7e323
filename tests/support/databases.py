"""Study databases for the tests of one file, on either engine."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine

from replicate.store import database

ENGINES = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))


@contextmanager
def new_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """An empty database of the newest version, for a fixture with the parameters `ENGINES`."""
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    else:
        url = database.sqlite_url(tmp_path_factory.mktemp("database") / "study.db")
    engine = database.connect(url)
    try:
        database.upgrade(engine)
        yield engine
    finally:
        engine.dispose()
