"""Gaps at equal selection frequencies in a study's report: by votes that did not choose images."""

from types import SimpleNamespace

import numpy as np
import pytest

from replicate.reporting.data import ScoredSet, SetInfo
from replicate.sampling.holdout import ballots, split_votes
from replicate.stages import report_adjusted
from replicate.stages.report_adjusted import adjusted_sets
from replicate.stages.score_sets import SetsToScore, SetToScore
from replicate.store.queries import Member

SIZE, VOTES = 300, 8


def _images(kind):
    return tuple(Member(f"{kind}{i:03d}", str(i % 3)) for i in range(SIZE))


@pytest.fixture
def world(monkeypatch):
    """An original and three sets of the same difficulty, eight votes an image but for a few."""
    rng = np.random.default_rng(1)
    rows, sets, scored = [], [], []
    for name in ("original", "matched", "uniform", "all-votes"):
        members = _images(name)
        s = rng.beta(3.0, 1.0, SIZE)
        rows += [
            (member.image_id, member.class_id, f"w{w}", bool(rng.random() < s[i]))
            for i, member in enumerate(members)
            for w in range(VOTES if i >= 10 else 1)
        ]
        role = "original" if name == "original" else "new"
        sets.append(SetToScore(name, role, "", members, ()))
        right = rng.random((SIZE, 4)) < (0.3 + 0.6 * s)[:, None]
        models = ("a", "b", "c", "d") if name == "original" else ("d", "c", "b", "new")
        labels = tuple(member.class_id for member in members)
        scored.append(ScoredSet(SetInfo(name, role, SIZE), models, right, labels))
    monkeypatch.setattr(report_adjusted, "counted_votes", lambda _: iter(rows))
    blocks = [
        SimpleNamespace(name="matched", strategy="matched-frequency", holdout_votes=3),
        SimpleNamespace(name="uniform", strategy="uniform", holdout_votes=0),
        SimpleNamespace(name="all-votes", strategy="top", holdout_votes=1),
    ]
    pipeline = SimpleNamespace(sample=blocks, report=SimpleNamespace(level=0.95))
    return (
        SimpleNamespace(seed=7, pipeline=pipeline),
        SetsToScore(None, tuple(sets), ()),
        scored,
        rows,
    )


def test_only_votes_that_chose_no_image_are_used(world):
    study, sets, scored, rows = world
    matched, uniform, refused = adjusted_sets(None, study, sets, scored, {})
    assert (matched.heldout, matched.votes) == (True, 3)
    assert [at.votes for at in matched.at] == [2, 3]
    assert (uniform.heldout, uniform.votes) == (False, VOTES)
    for item in (matched, uniform):
        assert item.n_original == item.n_new == SIZE - 10  # one vote says nothing
        assert set(item.gaps.estimators) == {"naive", "jackknife", "mixture"}
        assert item.gaps.estimators["mixture"].interval.contains(0.0)
        assert item.gaps.workers == VOTES
    assert refused.gaps is None and "holdout_votes = 2 or more" in refused.reason
    # The naive gap of the held-out votes, made again from the votes that the drawing set aside.
    aside = split_votes(ballots(iter(rows)), 3, study.seed)[1]
    kept = dict(zip(aside.image_id.tolist(), (aside.selected / aside.shown).tolist(), strict=True))
    frequency = np.array([kept[m.image_id] for m in sets.sets[1].members])[10:]
    assert {round(3 * f) for f in frequency} == {0, 1, 2, 3}
    shared = scored[1].correct[10:, :3].mean()  # d, c, b: not the model that is new
    raw = scored[0].correct[10:, 1:].mean() - shared
    assert matched.gaps.raw.gap == pytest.approx(raw)


def test_sets_without_votes_or_scores_are_passed_over(world, monkeypatch):
    study, sets, scored, _ = world
    names = [item.name for item in adjusted_sets(None, study, sets, scored[:2], {})]
    assert names == ["matched"]
    few = [("matched000", "0", "w1", True)]
    monkeypatch.setattr(report_adjusted, "counted_votes", lambda _: iter(few))
    found = adjusted_sets(None, study, sets, scored, {})
    assert "Fewer than two images of original have 2 votes" in found[0].reason
    monkeypatch.setattr(report_adjusted, "counted_votes", lambda _: iter([]))
    assert adjusted_sets(None, study, sets, scored, {}) == ()


def test_intervals_are_over_workers_where_there_are_several(world, monkeypatch):
    study, sets, scored, rows = world
    plain = adjusted_sets(None, study, sets, scored, {})[1].gaps
    # The same counts: those who are stern with the original are mild with the new sets. (What
    # workers do to both alike cancels.)
    by_image = {}
    for image, class_id, _, yes in rows:
        by_image.setdefault((image, class_id), []).append(yes)
    apart = [
        (*pair, f"w{w}", yes)
        for pair, votes in by_image.items()
        for w, yes in enumerate(sorted(votes, reverse=pair[0].startswith("original")))
    ]
    monkeypatch.setattr(report_adjusted, "counted_votes", lambda _: iter(apart))
    found = adjusted_sets(None, study, sets, scored, {})[1].gaps
    for name in plain.estimators:
        assert found.estimators[name].gap == pytest.approx(plain.estimators[name].gap)
        assert found.estimators[name].worker_sd > plain.estimators[name].worker_sd
    assert found.raw == plain.raw
    one = [(image, class_id, "w", yes) for image, class_id, _, yes in rows]
    monkeypatch.setattr(report_adjusted, "counted_votes", lambda _: iter(one))
    alone = adjusted_sets(None, study, sets, scored, {})[1].gaps
    assert alone.workers is None
    assert alone.estimators["naive"].worker_sd == 0.0
