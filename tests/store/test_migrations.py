"""A study of an earlier schema keeps its data, and what it never recorded says so."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, select, text

from replicate.base.resources import data_dir
from replicate.store import database, queries
from replicate.store.tables import Batch, Candidate, ClassSearch, DuplicatePair, Hit, Payment

ROWS = (
    "INSERT INTO images VALUES ('a', 8, 8, 100)",
    "INSERT INTO rules VALUES ('min_controls', 20), ('min_control_accuracy', 0.6)",
    "INSERT INTO hits (hit_key, class_id, number, assignments, reward, hit_id, published_at, "
    "status) VALUES ('h', 'c', 0, 2, '0.10', 'H', '2026-01-01 00:00:00', 'published'), "
    "('later', 'c', 1, 2, '0.10', NULL, NULL, 'composed')",
    "INSERT INTO hit_images VALUES ('h', 'i01', 'a', 'candidate')",
    "INSERT INTO assignments (assignment_id, hit_key, worker_id, status, submitted_at, answer, "
    "simulated) VALUES ('A', 'h', 'w', 'Approved', '2026-01-02 00:00:00', '', :simulated), "
    "('B', 'h', 'x', 'Submitted', '2026-01-02 00:00:00', '', :simulated)",
    "INSERT INTO votes (assignment_id, slot, image_id, class_id, worker_id, role, value) VALUES "
    "('A', 'i01', 'a', 'c', 'w', 'candidate', 'yes')",
)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A database at the first schema."""
    engine = database.connect(database.sqlite_url(tmp_path / "study.db"))
    _upgrade(engine, "0001")
    yield engine
    engine.dispose()


def _upgrade(engine: Engine, to: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(data_dir("db") / "study"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)


@pytest.mark.parametrize("simulated", [True, False])
def test_votes_hits_and_payments_of_the_first_schema_survive(
    engine: Engine, simulated: bool
) -> None:
    with engine.begin() as connection:
        for statement in ROWS:
            values = {"simulated": simulated} if ":simulated" in statement else {}
            connection.execute(text(statement), values)
    database.upgrade(engine)
    with database.session(engine) as session:
        found = queries.frequencies(session)
        batch = session.scalars(select(Batch)).one()
        hits = {hit.hit_key: (hit.batch_id, hit.round) for hit in session.scalars(select(Hit))}
        payment = session.scalars(select(Payment)).one()
    assert [(row.image_id, row.selected, row.shown) for row in found] == [("a", 1, 1)]
    assert hits == {"h": (batch.batch_id, 0), "later": (None, 0)}
    assert (batch.simulated, batch.hits, batch.assignments, batch.reward) == (
        simulated,
        1,
        2,
        "0.20",
    )
    assert "not recorded" in batch.mode
    assert (payment.assignment_id, payment.amount, payment.status) == ("A", "0.10", "paid")


def test_nothing_published_makes_no_batch(engine: Engine) -> None:
    database.upgrade(engine)
    with database.session(engine) as session:
        assert session.scalars(select(Batch)).all() == []


def test_classes_that_were_searched_before_are_done(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO runs (run_id, stage, versions, seed, pipeline_digest, started_at, "
                "status, done, skipped, failed, details) VALUES (7, 'gather', '{}', 1, '', "
                "'2026-01-01 00:00:00', 'done', 0, 0, '{}', '{}')"
            )
        )
        for number, class_id in enumerate(["cat", "cat", "dog"]):
            connection.execute(
                text(
                    "INSERT INTO queries (query_id, source, class_id, term, page, fetched, new, "
                    f"run_id) VALUES ('q{number}', 'flickr', '{class_id}', 't', 1, 1, 1, 7)"
                )
            )
        connection.execute(
            text(
                "INSERT INTO candidates (source, source_id, class_id, position, query_id, url, "
                "owner, status, attempts) VALUES ('flickr', '1', 'cat', 0, 'q0', 'http://x', 'ada',"
                " 'found', 0)"
            )
        )
    database.upgrade(engine)
    with database.session(engine) as session:
        done = {row.class_id: row.candidates for row in session.scalars(select(ClassSearch))}
        kept = session.scalars(select(Candidate)).one()
    assert done == {"cat": 1, "dog": 0}
    assert (kept.owner, kept.owner_id, kept.tags, kept.sizes) == ("ada", None, None, None)


def test_pairs_of_before_were_not_turned_and_keep_what_was_measured(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("INSERT INTO duplicate_pairs VALUES ('a', 'b', 'train', 4, 0.25, 'unsure')")
        )
    database.upgrade(engine)
    with database.session(engine) as session:
        (pair,) = session.scalars(select(DuplicatePair))
    assert (pair.distance, pair.pixel_distance, pair.verdict) == (4, 0.25, "unsure")
    assert (pair.transform, pair.found_by) == ("none", "hash")
    assert pair.distance256 is pair.ssim is pair.squared32 is pair.similarity is None
