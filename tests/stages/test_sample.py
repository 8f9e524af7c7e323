"""The sample stage on planted votes: drawn once, frozen for good, infeasible with exit 4."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select
from stages.pools import Pool, make_pool
from stages.voted import configure, make_voted_pool
from support.clocks import ManualClock
from support.frozen import forget_sets

from replicate.base.errors import GuardError, MissingError, UsageError
from replicate.sampling.feasibility import InfeasibleSample
from replicate.sampling.frozen import read_frozen
from replicate.stages import sample as stage_module
from replicate.stages.common import Options
from replicate.stages.freezing import freeze, manifest_path
from replicate.stages.sample import plan, sample
from replicate.store.ethics_tables import Takedown
from replicate.store.queries import members_of_test_set
from replicate.store.queries import pool as pool_members
from replicate.store.reviews import Given, add_review
from replicate.store.tables import (
    Base,
    Model,
    Prediction,
    SetReview,
    TestSet,
    TestSetImage,
)
from replicate.store.takedowns import enter
from replicate.study import open_study


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Pool:
    return make_voted_pool(tmp_path_factory.mktemp("sample"))


@pytest.fixture
def pool(made: Pool) -> Iterator[Pool]:
    """The same votes, no set drawn, and a pipeline of two sets."""
    configure(made, ("matched", "matched-frequency", 4, "fill = true"), ("top", "top", 5, ""))
    yield made
    with made.study.session() as session:
        forget_sets(session)
    for path in (made.study.root / "sets").glob("*"):
        path.unlink()


def everything(pool: Pool) -> dict[str, list[tuple[Any, ...]]]:
    with pool.study.session() as session:
        return {
            name: sorted(tuple(row) for row in session.execute(select(Base.metadata.tables[name])))
            for name in ("test_set_images",)
        } | {
            "test_sets": [
                (row.name, row.revision, row.strategy, row.digest, row.n)
                for row in session.scalars(select(TestSet).order_by(TestSet.name))
            ]
        }


def test_sets_have_their_images_once_and_a_match(pool: Pool) -> None:
    result = sample(pool.context())
    assert (result.tally.done, result.tally.skipped) == (2, 0)
    with pool.study.session() as session:
        candidates = set(pool_members(session))
        sets = {row.name: row for row in session.scalars(select(TestSet))}
        images = list(session.scalars(select(TestSetImage)))
    assert {name: row.n for name, row in sets.items()} == {"matched": 40, "top": 50}
    for name, per_class in (("matched", 4), ("top", 5)):
        mine = [row for row in images if row.name == name]
        assert len({row.image_id for row in mine}) == len(mine)
        assert sorted(row.position for row in mine) == list(range(len(mine)))
        for class_id in map(str, range(10)):
            assert sum(row.class_id == class_id for row in mine) == per_class
        assert {(row.image_id, row.class_id) for row in mine} <= {
            (member.image_id, member.class_id) for member in candidates
        }
    assert abs(sets["matched"].match["drawn"]["difference"]) < 0.1
    assert sets["top"].match["drawn"]["difference"] < -0.2
    assert sets["top"].match["heldout"]["difference"] > sets["top"].match["drawn"]["difference"]
    assert sets["matched"].match["heldout"]["n_original"] == 1000
    assert sets["top"].frozen_at is None


def test_again_it_does_nothing_and_says_so(pool: Pool) -> None:
    sample(pool.context())
    before = everything(pool)
    result = sample(pool.context())
    assert (result.tally.done, result.tally.skipped) == (0, 2)
    assert everything(pool) == before


def test_cut_off_between_two_sets_it_ends_the_same(pool: Pool, monkeypatch: Any) -> None:
    sample(pool.context())
    before = everything(pool)
    with pool.study.session() as session:
        forget_sets(session)
    real = stage_module._store

    def cut(context: Any, block: Any, *rest: Any) -> None:
        if block.name == "top":
            raise KeyboardInterrupt
        real(context, block, *rest)

    monkeypatch.setattr(stage_module, "_store", cut)
    with pytest.raises(KeyboardInterrupt):
        sample(pool.context())
    assert len(everything(pool)["test_sets"]) == 1
    monkeypatch.undo()
    assert sample(pool.context()).tally.done == 1
    assert everything(pool) == before


def test_another_seed_draws_other_images(pool: Pool) -> None:
    configure(pool, ("u", "uniform", 5, ""))
    sample(pool.context())
    first = everything(pool)
    with pool.study.session() as session:
        forget_sets(session)
    path = pool.study.root / "pipeline.toml"
    original = path.read_text()
    try:
        path.write_text(original.replace("seed = 2019", "seed = 2020"))
        pool.study.close()
        pool.study = open_study(pool.study.root)
        sample(pool.context())
        assert everything(pool) != first
    finally:
        path.write_text(original)


def test_freezing_writes_the_manifest_once_and_for_all(pool: Pool) -> None:
    with pytest.raises(MissingError, match="not drawn yet"):
        freeze(pool.study, "top")
    sample(pool.context())
    clock = ManualClock(datetime(2026, 3, 1, tzinfo=UTC))
    frozen = freeze(pool.study, "top", clock)
    path = manifest_path(pool.study, "top", 1)
    manifest = read_frozen(path).manifest
    assert (manifest.digest, len(manifest.members)) == (frozen.digest, 50)
    assert manifest.parameters["holdout_votes"] == 3
    clock.advance(timedelta(days=1))
    again = freeze(pool.study, "top", clock).frozen_at
    assert again is not None
    assert again.day == 1  # SQLite gives times back without their zone
    content = path.read_bytes()
    path.unlink()  # as if the machine had died between the row and the file
    sample(pool.context())
    assert path.read_bytes() == content
    assert not manifest_path(pool.study, "matched", 1).exists()


def test_freeze_in_the_pipeline_freezes_at_once(pool: Pool) -> None:
    configure(pool, ("top", "top", 2, "freeze = true"))
    context = replace(pool.context(), clock=ManualClock(datetime(2026, 4, 1, tzinfo=UTC)))
    sample(context)
    with pool.study.session() as session:
        assert session.get_one(TestSet, ("top", 1)).frozen_at is not None
    assert read_frozen(manifest_path(pool.study, "top", 1)).manifest.name == "top"


def test_an_unknown_set_is_refused_with_the_nearest_name(pool: Pool) -> None:
    with pytest.raises(UsageError, match="no test set 'tpo'") as caught:
        freeze(pool.study, "tpo")
    assert "'top'" in caught.value.hint


def test_an_infeasible_set_stops_with_exit_4_and_the_others_are_drawn(pool: Pool) -> None:
    configure(pool, ("huge", "threshold", 400, "threshold = 0.7"), ("top", "top", 5, ""))
    with pytest.raises(InfeasibleSample, match="Too few images for huge: class 0") as caught:
        sample(pool.context())
    assert caught.value.exit_code == 4
    assert [row[0] for row in everything(pool)["test_sets"]] == ["top"]
    short = [row for row in plan(pool.study) if row["missing"]]
    assert {row["set"] for row in short} == {"huge"}
    assert all(row["wanted"] == row["there"] + row["missing"] == 400 for row in short)
    assert len(short) == 10


def test_the_plan_draws_nothing(pool: Pool) -> None:
    rows = plan(pool.study)
    assert {row["set"] for row in rows} == {"matched", "top"}
    assert sum(row["wanted"] for row in rows if row["set"] == "matched") == 40
    assert everything(pool)["test_sets"] == []


def test_quota_without_keywords_is_refused(pool: Pool) -> None:
    configure(pool, ("q", "quota", 5, "keywords = 25"))
    with pytest.raises(UsageError, match="keywords of the original"):
        plan(pool.study)


def test_without_votes_it_names_the_stage_before(tmp_path: Path) -> None:
    empty = make_pool(tmp_path, 10, train=False)
    with pytest.raises(MissingError, match="no votes") as caught:
        sample(empty.context())
    assert "replicate collect" in caught.value.hint


def test_what_reviewers_exclude_is_in_no_later_set(pool: Pool) -> None:
    sample(pool.context())
    with pool.study.session() as session:
        chosen = _images(session, "top")
        item = min(chosen)
        given = Given("ada", "exclude", datetime(2026, 3, 1, tzinfo=UTC), ("ambiguous",))
        add_review(session, item, given, "top", 1)
        forget_sets(session)
    try:
        assert sample(pool.context()).tally.details["top"]["not_eligible"]["review_ambiguous"] == 1
        with pool.study.session() as session:
            again = _images(session, "top")
        assert item not in again and len(again) == len(chosen)
        assert len(chosen - again) == 1
    finally:
        with pool.study.session() as session:
            session.execute(delete(SetReview))


def _images(session: Any, name: str) -> set[tuple[str, str]]:
    rows = session.scalars(select(TestSetImage).where(TestSetImage.name == name))
    return {(row.image_id, row.class_id) for row in rows}


def _members(pool: Pool, name: str, revision: int) -> set[tuple[str, str]]:
    with pool.study.session() as session:
        members = members_of_test_set(session, name, revision)
    return {(member.image_id, member.class_id) for member in members}


def test_a_later_revision_leaves_out_what_was_taken_down_or_reviewed_away(pool: Pool) -> None:
    configure(pool, ("matched", "matched-frequency", 4, "fill = true\nfreeze = true"))
    sample(pool.context())
    first = _members(pool, "matched", 1)
    manifest = manifest_path(pool.study, "matched", 1).read_bytes()
    context = replace(pool.context(), options=Options(revise="matched"))
    assert sample(context).tally.notes == ["matched-1 would hold the same images."]
    (down, _), bad = sorted(first)[:2]
    moment = datetime(2026, 5, 1, tzinfo=UTC)
    try:
        with pool.study.session() as session:
            enter(session, "image", [down], "asked to", "owner", moment)
            given = Given("ann", "exclude", moment, ("wrong_class",), "")
            add_review(session, bad, given, "matched", 1)
        tally = sample(context).tally
        details = tally.details["matched"]
        assert details["dropped"] == {"review_wrong_class": 1, "taken_down": 1}
        assert (details["revision"], details["kept"], details["n"]) == (2, 38, 40)
        assert details["classes_unchanged"] == 10 - len({bad[1], dict(first)[down]})
        second = _members(pool, "matched", 2)
        assert first - second == {bad, (down, dict(first)[down])}
        assert _members(pool, "matched", 1) == first
        assert manifest_path(pool.study, "matched", 1).read_bytes() == manifest
        again = read_frozen(manifest_path(pool.study, "matched", 2)).manifest
        assert again.revision == 2 and set(again.members) == second
        assert sample(context).tally.skipped == 1
    finally:
        with pool.study.session() as session:
            session.execute(delete(Takedown))
            session.execute(delete(SetReview))


def test_after_models_were_scored_a_set_is_not_drawn_again_unknowingly(pool: Pool) -> None:
    context = replace(pool.context(), options=Options(revise="top"))
    with pytest.raises(MissingError, match="not drawn yet"):
        sample(context)
    sample(pool.context())
    try:
        with pool.study.session() as session:
            session.add(Model(name="m", family="f", card={}, status="ok"))
            session.flush()
            session.add(
                Prediction(
                    model="m", set_name="top", set_digest="d", preprocessing="p", precision="f",
                    status="ok", exploratory=False,
                )
            )  # fmt: skip
        with pytest.raises(GuardError, match="choice that their accuracies") as caught:
            sample(context)
        assert caught.value.exit_code == 4
        configure(pool, ("top", "top", 4, ""))
        context = replace(pool.context(), options=Options(revise="top", exploratory=True))
        assert sample(context).tally.done == 1
        with pool.study.session() as session:
            assert session.get_one(TestSet, ("top", 2)).parameters["exploratory"] is True
    finally:
        with pool.study.session() as session:
            session.execute(delete(Prediction))
            session.execute(delete(Model))
