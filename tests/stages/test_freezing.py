"""Freezing: what is written down, and that nothing changes it any more."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from stages.scoring import draw, make_study
from support.clocks import ManualClock
from support.frozen import unguarded

from replicate.base.digests import sha256_file
from replicate.base.errors import MissingError, ReplicateError
from replicate.sampling.frozen import read_frozen, wrong_files
from replicate.stages.freezing import drawn_from, freeze, frozen_set, manifest_path
from replicate.store import database
from replicate.store.tables import FrozenSet, PreparedImage, TestSet, TestSetImage
from replicate.study import Study

NOW = datetime(2026, 5, 1, tzinfo=UTC)
CHANGES = [
    update(TestSetImage).where(TestSetImage.position == 0).values(class_id="9"),
    delete(TestSetImage).where(TestSetImage.position == 0),
    insert(TestSetImage).values(
        name="top", revision=1, position=999, image_id="x", class_id="0", stratum="", filled=False
    ),
    update(TestSet).values(digest="other"),
    update(TestSet).values(frozen_at=None),
    delete(TestSet),
    update(FrozenSet).values(manifest="{}"),
    delete(FrozenSet),
]


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Study]:
    """A study whose set ``top`` is drawn but not frozen."""
    made = make_study(tmp_path / "study", frozen=False)
    with made.session() as session:
        row = session.get_one(TestSet, ("top", 1))
        row.drawn_from = drawn_from(session, made, NOW)
    yield made
    made.close()


def test_the_manifest_says_what_the_set_holds_and_came_from(study: Study) -> None:
    freeze(study, "top", ManualClock(NOW))
    path = manifest_path(study, "top", 1)
    frozen = read_frozen(path)
    assert frozen.manifest.name == "top" and len(frozen.manifest.members) == 30
    assert wrong_files(frozen, "gathered", study.images.get) == []
    assert wrong_files(frozen, "prepared", study.prepared.get) == []
    record = frozen.record
    assert record["steps"] == "digits-8x8@1" and record["frozen_at"] == NOW.isoformat()
    assert record["counts"]["per_class"] == dict.fromkeys("0123456789", 3)
    assert [class_id for class_id, _ in record["classes"]] == list("0123456789")
    assert record["versions"]["replicate"]
    origin = record["drawn_from"]
    assert origin["seed"] == 7 and origin["pipeline"] == study.loaded.text
    assert origin["original"]["images"] == 120 and len(origin["original"]["digest"]) == 64
    assert {"candidates", "near_duplicates", "pool", "votes", "versions", "reviews"} <= set(origin)
    # The file is the store's text, and is written again as it was.
    digest = sha256_file(path)
    path.unlink()
    freeze(study, "top")
    assert sha256_file(path) == digest


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change).split(" SET")[0][:40])
def test_a_frozen_set_never_changes(study: Study, change: object) -> None:
    freeze(study, "top", ManualClock(NOW))
    with pytest.raises(DBAPIError, match="a frozen test set never changes"), study.session() as s:
        s.execute(change)  # type: ignore[call-overload]
    with study.session() as session:
        assert len(session.scalars(select(TestSetImage)).all()) == 30


def test_a_set_that_is_not_frozen_can_be_drawn_again(study: Study) -> None:
    draw(study, "uniform", "test-rest", slice(0, 1), frozen=False)
    with study.session() as session:
        session.execute(delete(TestSetImage).where(TestSetImage.name == "uniform"))
        session.execute(delete(TestSet).where(TestSet.name == "uniform"))


def test_images_that_are_not_those_drawn_are_not_frozen(study: Study) -> None:
    with study.session() as session:
        first = session.get_one(TestSetImage, ("top", 1, 0))
        first.class_id = "9"
    with pytest.raises(ReplicateError, match="not those that were drawn"):
        freeze(study, "top")
    with study.session() as session:
        assert session.get_one(TestSet, ("top", 1)).frozen_at is None


def test_images_that_are_not_prepared_are_not_frozen(study: Study) -> None:
    with study.session() as session:
        session.execute(update(PreparedImage).values(steps="identity@1"))
    with pytest.raises(MissingError, match="30 images of the test set 'top' are not prepared"):
        freeze(study, "top")


def test_a_store_that_was_tampered_with_is_found_out(study: Study) -> None:
    row = freeze(study, "top", ManualClock(NOW))
    with study.session() as session, unguarded(session):
        kept = session.get_one(FrozenSet, ("top", 1))
        values = json.loads(kept.manifest)
        values["images"][0][1] = "9"
        kept.manifest = json.dumps(values)
    with study.session() as session, pytest.raises(ReplicateError, match="in the store is not"):
        frozen_set(session, study, row)


def test_a_set_frozen_by_an_older_version_gets_a_manifest(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study")  # frozen, with no manifest kept
    freeze(study, "top")
    frozen = read_frozen(manifest_path(study, "top", 1))
    assert frozen.record["drawn_from"] is None and len(frozen.prepared) == 30
    with study.session() as session:
        assert session.get_one(FrozenSet, ("top", 1)).digest == frozen.digest
    study.close()


def _small_set(session: Session, frozen: bool) -> None:
    session.execute(text("INSERT INTO images VALUES ('i', 1, 1, 1)"))
    row = TestSet(
        name="t", revision=1, strategy="top", parameters={}, digest="d", n=1, match={},
        created_at=NOW,
    )  # fmt: skip
    session.add(row)
    session.flush()
    session.add(
        TestSetImage(
            name="t", revision=1, position=0, image_id="i", class_id="0", stratum="", filled=False
        )
    )
    session.flush()
    row.frozen_at = NOW if frozen else None
    session.flush()
    session.add(FrozenSet(name="t", revision=1, manifest="{}", digest="d"))


@pytest.mark.postgres
def test_postgres_guards_frozen_sets_too(postgres_url: str) -> None:
    engine = database.connect(postgres_url)
    database.upgrade(engine)
    with database.session(engine) as session:
        _small_set(session, frozen=True)
    for change in CHANGES:
        refused = pytest.raises(DBAPIError, match="a frozen test set never changes")
        with refused, database.session(engine) as session:
            session.execute(change if "INSERT" not in str(change) else change.values(name="t"))  # type: ignore[union-attr]
    engine.dispose()
