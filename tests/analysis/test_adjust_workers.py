"""What workers add to an adjusted gap, and what fewer votes would give."""

import numpy as np
import pytest
from scipy import special, stats

from replicate.analysis.adjust import Judged, adjusted_gaps, gaps_by_votes
from replicate.analysis.adjust_cells import Sums, thinned
from replicate.analysis.adjust_estimators import ESTIMATORS, naive
from replicate.analysis.adjust_workers import SingleVotes, worker_spreads
from replicate.base.errors import UsageError

N, VOTES, WORKERS = 800, 10, 60


def side(seed: int, strictness: np.ndarray, hard: bool, first: int = 0) -> Judged:
    """Images that each ten of sixty workers saw; ``first`` is the first worker's number."""
    s = np.random.default_rng(hard).beta(2.0 if hard else 4.0, 1.0, N)  # always the same images
    rng = np.random.default_rng(seed)
    worker = np.stack([rng.permutation(WORKERS)[:VOTES] for _ in range(N // 20)])[
        np.arange(N) // 20
    ]
    logit = special.logit(np.clip(s, 1e-6, 1 - 1e-6))[:, None]
    yes = rng.random((N, VOTES)) < special.expit(logit + strictness[worker])
    right = rng.binomial(10, 0.2 + 0.7 * s) / 10
    votes = SingleVotes(np.repeat(np.arange(N), VOTES), worker.ravel() + first, yes.ravel())
    return Judged(yes.sum(axis=1), np.full(N, VOTES), right, votes=votes)


def spread(seed: int, sd: float, shared: bool = False) -> float:
    strictness = np.random.default_rng([seed, 9]).normal(0, sd, WORKERS)
    other = strictness if shared else np.random.default_rng([seed, 8]).normal(0, sd, WORKERS)
    sides = side(seed, strictness, False), side(seed + 500, other, True, 0 if shared else 1000)
    found = worker_spreads(*sides, {"naive": naive}, 4, 4)["naive"]
    assert found.workers == (WORKERS if shared else 2 * WORKERS)
    return found.variance


def _naive(old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The naive gap of images whose accuracy is 0.2 + 0.7 s, but for a constant."""
    right = 0.2 + 0.7 * np.random.default_rng(1).beta(2.0, 1.0, N)
    place = np.arange(VOTES + 1), np.full(VOTES + 1, VOTES)
    images = [np.bincount(each, minlength=VOTES + 1)[None].astype(float) for each in (old, new)]
    sums = np.bincount(new, right, VOTES + 1)[None]
    return -naive(Sums(*place, images[0], images[0], *place, images[1], sums, 0.1))[0]


def test_workers_who_differ_add_what_they_really_add():
    claimed = np.mean([spread(seed, 0.8) for seed in range(8)])
    alike = np.mean([spread(seed, 0.0) for seed in range(8)])
    gaps: dict[float, list[float]] = {0.0: [], 0.8: []}
    for sd, found in gaps.items():
        for seed in range(60):
            rng = np.random.default_rng([seed, 3])
            missed = [
                VOTES - side(seed + 500 * hard, rng.normal(0, sd, WORKERS), hard).selected
                for hard in (False, True)
            ]
            found.append(float(_naive(*missed)))
    real = np.var(gaps[0.8]) - np.var(gaps[0.0])
    assert alike < 0.15 * claimed
    assert real / 2.5 < claimed < real * 2.5


def test_what_shared_workers_do_to_both_sets_alike_cancels():
    apart = np.mean([spread(seed, 0.8) for seed in range(6)])
    shared = np.mean([spread(seed, 0.8, shared=True) for seed in range(6)])
    assert shared < apart / 2


def test_intervals_over_workers_are_wider_and_the_estimate_is_the_same():
    strictness = np.random.default_rng(1).normal(0, 0.8, WORKERS)
    sides = [side(3, strictness, False), side(4, strictness, True, 1000)]
    counts = [Judged(each.selected, each.shown, each.correct) for each in sides]
    with_workers = adjusted_gaps(*sides, 1, resamples=100)
    without = adjusted_gaps(*counts, 1, resamples=100)
    assert (with_workers.workers, without.workers) == (2 * WORKERS, None)
    assert with_workers.raw == without.raw
    for name in ESTIMATORS:
        one, two = with_workers.estimators[name], without.estimators[name]
        assert one.gap == two.gap and two.worker_sd == 0
        assert one.interval.low <= two.interval.low and one.interval.high >= two.interval.high
        if name in ("naive", "jackknife", "heldout"):  # the others are rougher than workers here
            assert one.worker_sd > 0 and one.interval.low < two.interval.low
    half = adjusted_gaps(sides[0], counts[1], 1, resamples=100)
    assert half.workers == WORKERS


def test_single_votes_must_be_those_of_the_counts():
    whole = side(1, np.zeros(WORKERS), False)
    wrong = Judged(whole.shown - whole.selected, whole.shown, whole.correct, votes=whole.votes)
    with pytest.raises(UsageError, match="do not add up"):
        adjusted_gaps(wrong, wrong, 1, resamples=2)
    votes = SingleVotes(np.array([0, 0, 1, 1]), np.zeros(4, int), np.array([1, 0, 1, 1]) > 0)
    one = Judged(np.array([1, 2]), np.array([2, 2]), np.array([1.0, 0.0]), votes=votes)
    with pytest.raises(UsageError, match="one worker"):
        adjusted_gaps(one, one, 1, resamples=2)


def test_leaving_votes_out_is_hypergeometric():
    part = (np.array([0, 3]), np.array([5, 7]), np.array([[2.0, 4.0]]), np.array([[1.0, 3.0]]))
    missed, shown, images, right = thinned(part, 3)
    assert (missed.tolist(), shown.tolist()) == ([0, 1, 2, 3], [3] * 4)
    expected = [[2.0 * (m == 0) + 4.0 * stats.hypergeom.pmf(m, 7, 3, 3) for m in range(4)]]
    assert images == pytest.approx(np.array(expected))
    assert right.sum() == pytest.approx(4.0)


def test_by_votes_the_naive_gap_falls_and_the_last_is_that_of_all_votes():
    sides = [side(seed, np.zeros(WORKERS), hard) for seed, hard in ((1, False), (2, True))]
    found = gaps_by_votes(*sides, 1, resamples=50)
    assert [at.votes for at in found] == [2, 3, 5, 7, 10]
    naive_gaps = [at.estimators["naive"].gap for at in found]
    assert naive_gaps == sorted(naive_gaps, reverse=True)
    assert [at.recommended for at in found] == ["mixture"] * 5
    whole = adjusted_gaps(*sides, 1, resamples=2)
    for name, gap in found[-1].estimators.items():
        assert gap.gap == pytest.approx(whole.estimators[name].gap)
