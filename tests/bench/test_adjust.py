"""Planted truth: bias, spread and coverage of every estimator of the adjusted gap.

Run with `pytest -n0 -s tests/bench/test_adjust.py -o addopts=--import-mode=importlib
--benchmark-only`; the tables that it prints are those of docs/adjust.md. A quarter of an hour on
one core.
"""

from collections import defaultdict
from itertools import product

import numpy as np
import pytest
from bench.planted import ACCURACY, TRUE, UNSEEN, UNSEEN_ACCURACY, overdispersion, side

from replicate.analysis.adjust import adjusted_gaps
from replicate.analysis.adjust_cells import Sums, noise
from replicate.analysis.adjust_estimators import ESTIMATORS, RECOMMENDED, degree_for

SEEDS = 200
OF_INTERVALS = 18  # seeds of each cell whose intervals are looked at
VOTES = (3, 5, 10, 20, 40)
GAPS = (0.0, 0.02, 0.05)
NAMES = ("raw", *ESTIMATORS)
WORLDS = tuple(product(TRUE, ACCURACY))
OTHERS = tuple(product(UNSEEN, UNSEEN_ACCURACY))


def counts(images, n):
    missed = images.shown - images.selected
    found = np.bincount(missed, minlength=n + 1).astype(float)
    return found, np.bincount(missed, weights=images.correct, minlength=n + 1)


def sides(n, seed, true, accuracy, gap, workers):
    """An original whose workers are alike, and a pool whose workers differ, or do not."""
    rng = np.random.default_rng([seed, n])
    old = side(rng, true, accuracy, n, False, 0.0, False)
    return old, side(rng, true, accuracy, n, True, gap, workers)


def cell_errors(n, true, accuracy, workers):
    """Errors of every estimator, by name, shape (seeds,): all seeds are worked out at once."""
    place = np.arange(n + 1), np.full(n + 1, n)
    gaps = np.array([GAPS[seed % len(GAPS)] for seed in range(SEEDS)])
    drawn = [sides(n, seed, true, accuracy, gap, workers) for seed, gap in enumerate(gaps)]
    old, new = (
        [np.stack(part) for part in zip(*(counts(pair[i], n) for pair in drawn), strict=True)]
        for i in (0, 1)
    )
    last = drawn[-1][1]
    sums = Sums(*place, *old, *place, *new, noise(last.selected, last.shown, last.correct))
    errors = {"raw": sums.original_mean - sums.new_mean - gaps}
    for name, estimator in ESTIMATORS.items():
        errors[name] = sums.original_mean - estimator(sums, *degree_for(n)) - gaps
    return errors


def bias_and_spread() -> None:
    print("\n| votes | " + " | ".join(NAMES) + " |")
    found = {}
    for n in VOTES:
        for key in product(WORLDS, (False, True)):
            (true, accuracy), workers = key
            found[n, key] = cell_errors(n, true, accuracy, workers)
        row = []
        for name in NAMES:
            worlds = [100 * errors[name] for (votes, _), errors in found.items() if votes == n]
            worst = max((w.mean() for w in worlds), key=abs)
            row.append(f"{worst:+.2f} ({np.mean([w.std() for w in worlds]):.2f})")
        print(f"| {n} | " + " | ".join(row) + " |", flush=True)
    print("\n| votes | truth | overdispersion | accuracy | workers | recommended |")
    for (n, ((true, accuracy), workers)), errors in found.items():
        best = 100 * errors[RECOMMENDED]
        differ = "differ" if workers else "alike"
        print(
            f"| {n} | {true[0]} | {true[1]} | {accuracy} | {differ} "
            f"| {best.mean():+.2f} ({best.std():.2f}) |"
        )
    for (n, key), errors in found.items():
        if n >= 5:
            best = errors[RECOMMENDED]
            noise_of_mean = 2 * best.std() / np.sqrt(SEEDS)
            assert abs(best.mean()) <= 0.005 + noise_of_mean, (n, key)


def hits(worlds, votes, seeds, workers, resamples=150):
    """Whether intervals hold the planted gap: by number of votes, with and without workers."""
    found, blind = defaultdict(list), defaultdict(list)
    only = {RECOMMENDED: ESTIMATORS[RECOMMENDED]}
    for n in votes:
        for (true, accuracy), seed in product(worlds, seeds):
            gap = GAPS[seed % len(GAPS)]
            old, new = sides(n, seed, true, accuracy, gap, workers)
            gaps = adjusted_gaps(old, new, seed, resamples=resamples, estimators=only)
            best = gaps.estimators[RECOMMENDED]
            found[n].append(best.interval.contains(gap))
            blind[n].append(_without_workers(best).contains(gap))
        print(
            f"| {n} | {'differ' if workers else 'alike'} | {len(found[n])} "
            f"| {np.mean(found[n]):.3f} | {np.mean(blind[n]):.3f} |",
            flush=True,
        )
    return found


def coverage() -> None:
    print("\n| votes | workers | runs | coverage | as if workers were alike |")
    every = {w: hits(WORLDS, VOTES, range(OF_INTERVALS), w) for w in (False, True)}
    pooled = [hit for found in every.values() for some in found.values() for hit in some]
    print(f"all: {len(pooled)}, {np.mean(pooled):.4f}")
    assert len(pooled) >= 2000
    assert 0.93 <= np.mean(pooled) <= 0.97
    for n in VOTES:
        own = np.mean(every[False][n] + every[True][n])
        assert own >= 0.91, n


def coverage_elsewhere() -> None:
    """In worlds that nothing was chosen by, with other seeds."""
    print("\n| votes | workers | runs | coverage | as if workers were alike |")
    found = hits(OTHERS, VOTES, range(1000, 1018), workers=True, resamples=300)
    pooled = [hit for some in found.values() for hit in some]
    print(f"all: {len(pooled)}, {np.mean(pooled):.4f}")
    assert np.mean(pooled) >= 0.93
    assert min(np.mean(some) for some in found.values()) >= 0.90


def _without_workers(gap):
    """The interval without what workers add to it."""
    wide = (gap.interval.high - gap.interval.low) / 3.92
    factor = np.sqrt(max(wide**2 - gap.worker_sd**2, 1e-12)) / wide
    ends = [gap.gap + factor * (end - gap.gap) for end in (gap.interval.low, gap.interval.high)]
    return type(gap.interval)(*ends, gap.interval.level)


def test_the_planted_overdispersion_is_what_it_is_called():
    for true in (*TRUE, *UNSEEN):
        assert overdispersion(true) == pytest.approx(true[1], abs=0.01)


@pytest.mark.timeout(7200)
def test_bias_and_spread_by_votes(benchmark):
    benchmark.pedantic(bias_and_spread)


@pytest.mark.timeout(7200)
def test_intervals_cover(benchmark):
    benchmark.pedantic(coverage)


@pytest.mark.timeout(7200)
def test_intervals_cover_in_worlds_that_nothing_was_chosen_by(benchmark):
    benchmark.pedantic(coverage_elsewhere)
