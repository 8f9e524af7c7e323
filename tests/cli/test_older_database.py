"""A study of an earlier version: to look at it changes nothing; changes are said, a copy kept."""

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from support.command import replicate

from replicate.base.resources import data_dir
from replicate.store import database


@pytest.fixture
def study(tmp_path: Path) -> Path:
    folder = tmp_path / "study"
    assert replicate("init", folder, "--from", "digits", "--size", "small").code == 0
    engine = database.connect(database.sqlite_url(folder / "study.db"))
    config = Config()
    config.set_main_option("script_location", str(data_dir("db") / "study"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0011")
        connection.exec_driver_sql("INSERT INTO images VALUES ('a', 8, 8, 100)")
    engine.dispose()
    return folder


def _version(path: Path) -> str | None:
    engine = database.connect(database.sqlite_url(path))
    try:
        return database.schema_version(engine)
    finally:
        engine.dispose()


def test_commands_that_look_leave_it_and_say_what_to_do(study: Path) -> None:
    for words in (["status"], ["db", "query", "SELECT * FROM images"], ["db", "tables"]):
        outcome = replicate("-C", study, *words)
        assert outcome.code == 4 and "replicate db upgrade" in outcome.err, outcome.err
        assert (
            f"schema 0011, of an earlier version of replicate; this one speaks {database.SCHEMA}"
            in (outcome.err)
        )
    assert _version(study / "study.db") == "0011"
    assert not list(study.glob("study.db.*schema*"))


def test_an_upgrade_is_said_and_the_file_as_it_was_is_kept(study: Path) -> None:
    outcome = replicate("-C", study, "db", "upgrade", "--json")
    assert outcome.json() == {"schema": database.SCHEMA}
    copy = study / "study.db.schema-0011"
    assert f"from schema 0011 to {database.SCHEMA}" in outcome.err and str(copy) in outcome.err
    assert (_version(study / "study.db"), _version(copy)) == (database.SCHEMA, "0011")
    query = ("db", "query", "SELECT image_id FROM images", "--json")
    assert replicate("-C", study, *query).json() == [{"image_id": "a"}]
    again = replicate("-C", study, "db", "upgrade")
    assert again.code == 0 and "brought" not in again.err
