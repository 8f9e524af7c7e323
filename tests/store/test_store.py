"""The store: schema, migrations, views, pragmas."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, text

from replicate.base.errors import GuardError, MissingError, ReplicateError
from replicate.store import database, queries
from replicate.store.tables import Assignment, Base, Hit, Image, Rule, Vote
from replicate.store.views import ALL_VIEWS

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = database.connect(database.sqlite_url(tmp_path / "study.db"))
    database.upgrade(engine)
    return engine


def test_the_migrations_make_the_tables_of_the_model(engine: Engine) -> None:
    found = inspect(engine)
    assert set(found.get_table_names()) == {*Base.metadata.tables, "alembic_version"}
    assert set(found.get_view_names()) == set(ALL_VIEWS)
    for name, table in Base.metadata.tables.items():
        columns = {column["name"]: column for column in found.get_columns(name)}
        assert set(columns) == set(table.columns.keys()), name
        for column in table.columns:
            assert columns[column.name]["nullable"] == column.nullable, (name, column.name)
        indexes = {index["name"] for index in found.get_indexes(name)}
        assert indexes == {index.name for index in table.indexes}, name


def test_the_migrations_make_the_views_of_the_model(engine: Engine) -> None:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'view'"))
        found = {name: sql.strip() for name, sql in rows}
    assert found == {name: sql.strip() for name, sql in ALL_VIEWS.items()}


def test_sqlite_is_opened_safely(engine: Engine) -> None:
    with engine.connect() as connection:
        for pragma, value in (
            ("journal_mode", "wal"),
            ("foreign_keys", 1),
            ("busy_timeout", 30000),
        ):
            assert connection.execute(text(f"PRAGMA {pragma}")).scalar() == value


def test_a_migration_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = database.connect(database.sqlite_url(tmp_path / "study.db"))
    import alembic.op

    real = alembic.op.execute

    def failing(statement: str) -> None:
        if "selection_frequencies" in str(statement):
            raise RuntimeError("killed")
        real(statement)

    monkeypatch.setattr(alembic.op, "execute", failing)
    with pytest.raises(RuntimeError):
        database.upgrade(engine)
    assert inspect(engine).get_table_names() == []
    monkeypatch.setattr(alembic.op, "execute", real)
    database.upgrade(engine)
    assert database.schema_version(engine) == database.SCHEMA


def test_a_newer_schema_is_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(GuardError, match="9999, newer than"):
        database.upgrade(engine)
    assert database.schema_version(engine) == "9999"


def test_errors_of_a_database_are_sentences(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_bytes(b"this is no database" * 100)
    engine = database.connect(database.sqlite_url(tmp_path / "study.db"))
    with pytest.raises(ReplicateError, match="cannot be opened"):
        database.upgrade(engine)
    with pytest.raises(MissingError, match="needs the package"):
        database.connect("mysql+mysqldb://nobody@127.0.0.1/none")


def _votes(engine: Engine, rows: list[tuple[str, str, str, str, str]]) -> None:
    """Each row: worker, image, role, value, status."""
    with database.session(engine) as session:
        session.add_all(
            [
                Rule(name="min_controls", value=2),
                Rule(name="min_control_accuracy", value=0.6),
                Hit(
                    hit_key="h",
                    class_id="c",
                    number=0,
                    assignments=9,
                    reward="0.10",
                    hit_id="H",
                    status="published",
                ),
            ]
        )
        for image in sorted({row[1] for row in rows}):
            session.add(Image(image_id=image, width=1, height=1, n_bytes=1))
        session.flush()
        for worker, status in sorted({(row[0], row[4]) for row in rows}):
            session.add(
                Assignment(
                    assignment_id=worker + status,
                    hit_key="h",
                    worker_id=worker,
                    status=status,
                    accepted_at=NOW,
                    submitted_at=NOW,
                    answer="",
                    simulated=True,
                )
            )
        session.flush()
        for number, (worker, image, role, value, status) in enumerate(rows):
            session.add(
                Vote(
                    assignment_id=worker + status,
                    slot=f"i{number}",
                    image_id=image,
                    class_id="c",
                    worker_id=worker,
                    role=role,
                    value=value,
                )
            )


def test_selection_frequency_counts_what_the_rules_say(engine: Engine) -> None:
    _votes(
        engine,
        [
            ("good", "a", "candidate", "yes", "Submitted"),
            ("also", "a", "candidate", "no", "Approved"),
            ("third", "a", "candidate", "yes", "Rejected"),
            ("good", "b", "candidate", "broken", "Submitted"),
            ("also", "b", "candidate", "not_shown", "Approved"),
            ("good", "p", "positive", "yes", "Submitted"),
            ("good", "n", "negative", "no", "Submitted"),
            ("good", "a", "repeat", "yes", "Submitted"),
            ("good", "o", "original", "yes", "Submitted"),
            ("bad", "a", "candidate", "yes", "Submitted"),
            ("bad", "p", "positive", "no", "Submitted"),
            ("bad", "n", "negative", "yes", "Submitted"),
        ],
    )
    with database.session(engine) as session:
        counts = {row.image_id: (row.selected, row.shown) for row in queries.frequencies(session)}
        flagged = session.execute(text("SELECT worker_id FROM flagged_workers")).scalars().all()
        voters = {worker for _, _, worker, _ in queries.counted_votes(session)}
    assert flagged == ["bad"]
    # Rejected and flagged votes do not count, nor do repeats; broken and not shown are no votes.
    assert counts == {"a": (1, 2), "p": (1, 1), "n": (0, 1), "o": (1, 1)}
    assert voters == {"good", "also"}


def test_foreign_keys_hold(engine: Engine) -> None:
    with pytest.raises(Exception, match="FOREIGN KEY"), database.session(engine) as session:
        session.add(
            Vote(
                assignment_id="none",
                slot="i01",
                image_id="none",
                class_id="c",
                worker_id="w",
                role="candidate",
                value="yes",
            )
        )


def test_a_transaction_that_fails_is_rolled_back(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), database.session(engine) as session:
        session.add(Image(image_id="x", width=1, height=1, n_bytes=1))
        session.flush()
        raise RuntimeError
    with sqlite3.connect(tmp_path / "study.db") as connection:
        assert connection.execute("SELECT COUNT(*) FROM images").fetchone() == (0,)
    connection.close()
