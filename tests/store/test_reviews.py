"""What reviewers said, and what follows: latest counts, first is blind, rules, the horizon."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, insert, select

from replicate.store import database, reviews
from replicate.store.reviews import Given, Horizon, horizon, together
from replicate.store.tables import DuplicatePair, DuplicateVerdict, Image, SetReview

NOW = datetime(2026, 1, 1, tzinfo=UTC)
IMAGES = ("a", "b", "c", "d", "r")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = database.connect(database.sqlite_url(tmp_path / "study.db"))
    yield _filled(made)
    made.dispose()


def _filled(engine: Engine) -> Engine:
    database.upgrade(engine)
    with database.session(engine) as session:
        rows = [{"image_id": i, "width": 8, "height": 8, "n_bytes": 1} for i in IMAGES]
        session.execute(insert(Image), rows)
    return engine


def say(engine: Engine, pair: tuple[str, str], *said: tuple[str, str]) -> None:
    with database.session(engine) as session:
        for number, (reviewer, verdict) in enumerate(said):
            at = NOW + timedelta(seconds=number)
            reviews.add_verdict(session, pair, Given(reviewer, verdict, at))


def judge(engine: Engine, item: tuple[str, str], reviewer: str, *flags: str) -> None:
    verdict = "exclude" if flags else "ok"
    with database.session(engine) as session:
        reviews.add_review(session, item, Given(reviewer, verdict, NOW, flags), "matched", 1)


def test_nothing_is_overwritten_the_latest_counts_and_the_first_is_kept(engine: Engine) -> None:
    say(engine, ("r", "a"), ("ada", "same"), ("bob", "same"), ("ada", "different"))
    say(engine, ("r", "b"), ("ada", "same"), ("ada", "withdrawn"))
    with database.session(engine) as session:
        found = reviews.pair_histories(session)
        assert len(session.scalars(select(DuplicateVerdict)).all()) == 5
    first = found["r", "a"]
    assert {name: item.verdict for name, item in first.first.items()} == {
        "ada": "same",
        "bob": "same",
    }
    assert first.verdicts == ["different", "same"] and first.disagreement
    assert first.latest["ada"].at == NOW + timedelta(seconds=2)
    assert found["r", "b"].verdicts == [] and not found["r", "b"].disagreement


@pytest.mark.parametrize(
    ("said", "when", "least", "expected"),
    [
        ("s", "majority", 1, "same"),
        ("s", "majority", 2, "unsure"),
        ("sd", "majority", 2, "unsure"),
        ("ssd", "majority", 2, "same"),
        ("ddu", "majority", 2, "different"),
        ("sd", "any", 2, "same"),
        ("dd", "any", 2, "different"),
        ("du", "any", 2, "unsure"),
        ("ssd", "all", 2, "unsure"),
        ("ss", "all", 2, "same"),
        ("d", "all", 2, "unsure"),
        ("u", "any", 1, "unsure"),
    ],
)
def test_what_reviewers_say_together(
    engine: Engine, said: str, when: reviews.When, least: int, expected: str
) -> None:
    words = {"s": "same", "d": "different", "u": "unsure"}
    say(engine, ("r", "a"), *((f"reviewer{n}", words[letter]) for n, letter in enumerate(said)))
    with database.session(engine) as session:
        assert reviews.verdicts(session, when, least) == {("r", "a"): expected}


@given(st.lists(st.sampled_from(["ok", "exclude", "unsure"])), st.integers(1, 4))
def test_rules_are_nested_and_order_changes_nothing(found: list[str], least: int) -> None:
    outcome = {when: together(found, "exclude", when, least) for when in ("any", "majority", "all")}
    assert outcome["any"] or not outcome["majority"]
    assert outcome["majority"] or not outcome["all"]
    assert outcome["any"] == ("exclude" in found)
    assert outcome == {when: together(sorted(found), "exclude", when, least) for when in outcome}


def test_images_are_excluded_for_the_reason_that_most_give(engine: Engine) -> None:
    judge(engine, ("a", "0"), "ada", "ambiguous", "wrong_class")
    judge(engine, ("a", "0"), "bob", "ambiguous")
    judge(engine, ("b", "0"), "ada", "offensive")
    judge(engine, ("b", "0"), "bob")
    judge(engine, ("c", "0"), "ada", "not_a_photo")
    judge(engine, ("c", "0"), "ada")  # changed their mind
    with database.session(engine) as session:
        assert reviews.excluded(session) == {("a", "0"): "ambiguous"}
        assert reviews.excluded(session, "any") == {
            ("a", "0"): "ambiguous",
            ("b", "0"): "offensive",
        }
        assert reviews.excluded(session, "all", least=3) == {}
        assert len(session.scalars(select(SetReview)).all()) == 6


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.3]), st.booleans())))
def test_nothing_is_open_before_the_horizon(pairs: list[tuple[float, bool]]) -> None:
    found = horizon(pairs)
    assert all(done for distance, done in pairs if distance < found.distance)
    if found.distance != math.inf:
        assert (found.distance, False) in pairs
    assert (found.pairs, found.looked) == (len(pairs), sum(done for _, done in pairs))


def test_horizons_count_pairs_for_both_candidates_and_want_enough_reviewers(
    engine: Engine,
) -> None:
    pairs = [("r", "a", "train", 0.1), ("r", "b", "train", 0.2), ("a", "b", "candidates", 0.3)]
    with database.session(engine) as session:
        for reference, candidate, which, distance in pairs:
            values = {"reference_id": reference, "candidate_id": candidate, "distance": 4}
            more = {"reference_set": which, "pixel_distance": distance, "verdict": "unsure"}
            session.add(DuplicatePair(**values, **more))
    say(engine, ("r", "a"), ("ada", "same"), ("bob", "same"))
    say(engine, ("a", "b"), ("ada", "different"))
    with database.session(engine) as session:
        once, twice = reviews.horizons(session, 1), reviews.horizons(session, 2)
    assert once == {"a": Horizon(math.inf, 2, 2), "b": Horizon(0.2, 2, 1)}
    assert twice == {"a": Horizon(0.3, 2, 1), "b": Horizon(0.2, 2, 0)}


@pytest.mark.postgres
def test_the_same_on_postgresql(postgres_url: str) -> None:
    engine = _filled(database.connect(postgres_url))
    try:
        say(engine, ("r", "a"), ("ada", "same"), ("ada", "different"))
        judge(engine, ("a", "0"), "ada", "offensive")
        with database.session(engine) as session:
            assert reviews.verdicts(session) == {("r", "a"): "different"}
            assert reviews.excluded(session) == {("a", "0"): "offensive"}
            assert reviews.pair_histories(session)["r", "a"].latest["ada"].at.tzinfo is not None
    finally:
        engine.dispose()
