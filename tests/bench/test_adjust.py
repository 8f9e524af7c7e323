"""Planted truth: bias, spread and coverage of every estimator of the adjusted gap.

Run with `pytest -n0 -s tests/bench/test_adjust.py -o addopts=--import-mode=importlib
--benchmark-only`; the tables that it prints are those of docs/adjust.md. A quarter of an hour on
one core.
"""

from collections import defaultdict

import numpy as np
import pytest
from bench.planted import ACCURACY, TRUE, overdispersion, side

from replicate.analysis.adjust import adjusted_gaps
from replicate.analysis.adjust_estimators import ESTIMATORS, Sums, degree_for, recommended_for

SEEDS = 200
OF_INTERVALS = 36  # seeds of each cell whose intervals are looked at
VOTES = (3, 5, 10, 20, 40)
GAPS = (0.0, 0.02, 0.05)
NAMES = ("raw", *ESTIMATORS)


def cells(images, n):
    missed = images.shown - images.selected
    counts = np.bincount(missed, minlength=n + 1)[None].astype(float)
    return counts, np.bincount(missed, weights=images.correct, minlength=n + 1)[None]


def sides(n, seed, true, accuracy, gap, workers):
    """An original whose workers are alike, and a pool whose workers differ, or do not."""
    rng = np.random.default_rng([seed, n])
    old = side(rng, true, accuracy, n, False, 0.0, False)
    return old, side(rng, true, accuracy, n, True, gap, workers)


def cell_errors(n, true, accuracy, workers):
    """Errors of every estimator, by name: a list over seeds."""
    place = np.arange(n + 1), np.full(n + 1, n)
    errors = defaultdict(list)
    for seed in range(SEEDS):
        gap = GAPS[seed % len(GAPS)]
        old, new = sides(n, seed, true, accuracy, gap, workers)
        sums = Sums(*place, *cells(old, n), *place, *cells(new, n))
        mean = old.correct.mean()
        errors["raw"].append(mean - new.correct.mean() - gap)
        for name, estimator in ESTIMATORS.items():
            errors[name].append(mean - estimator(sums, *degree_for(n))[0] - gap)
    return errors


def bias_and_spread() -> None:
    found = {
        (n, true, accuracy, workers): cell_errors(n, true, accuracy, workers)
        for n in VOTES
        for true in TRUE
        for accuracy in ACCURACY
        for workers in (False, True)
    }
    print("\n| votes | " + " | ".join(NAMES) + " |")
    for n in VOTES:
        row = []
        for name in NAMES:
            worlds = [100 * np.array(v[name]) for key, v in found.items() if key[0] == n]
            worst = max((w.mean() for w in worlds), key=abs)
            row.append(f"{worst:+.2f} ({np.mean([w.std() for w in worlds]):.2f})")
        print(f"| {n} | " + " | ".join(row) + " |")
    print("\n| votes | truth | overdispersion | accuracy | workers | recommended |")
    for (n, true, accuracy, workers), errors in found.items():
        best = 100 * np.array(errors[recommended_for(n)])
        differ = "differ" if workers else "alike"
        print(
            f"| {n} | {true[0]} | {true[1]} | {accuracy} | {differ} "
            f"| {best.mean():+.2f} ({best.std():.2f}) |"
        )
    for (n, *world), errors in found.items():
        if n >= 5:
            best = errors[recommended_for(n)]
            noise = 2 * np.std(best) / np.sqrt(SEEDS)
            assert abs(np.mean(best)) <= 0.005 + noise, (n, *world)


def coverage() -> None:
    hits, blind = defaultdict(list), defaultdict(list)
    for n in VOTES:
        name = recommended_for(n)
        only = {each: ESTIMATORS[each] for each in {name, "heldout"}}
        for workers in (False, True):
            for true in TRUE:
                for accuracy in ACCURACY:
                    for seed in range(OF_INTERVALS):
                        gap = GAPS[seed % len(GAPS)]
                        old, new = sides(n, seed, true, accuracy, gap, workers)
                        found = adjusted_gaps(old, new, seed, resamples=300, estimators=only)
                        best = found.estimators[name]
                        hits[n, workers].append(best.interval.contains(gap))
                        blind[n, workers].append(_without_workers(best).contains(gap))
    print("\n| votes | workers | runs | coverage | as if workers were alike |")
    for (n, workers), values in sorted(hits.items()):
        differ = "differ" if workers else "alike"
        print(
            f"| {n} | {differ} | {len(values)} | {np.mean(values):.3f} "
            f"| {np.mean(blind[n, workers]):.3f} |"
        )
    for workers in (False, True):
        own = [hit for key, values in hits.items() if key[1] == workers for hit in values]
        print(f"workers {'differ' if workers else 'alike'}: {len(own)}, {np.mean(own):.4f}")
    pooled = [hit for values in hits.values() for hit in values]
    print(f"all: {len(pooled)}, {np.mean(pooled):.4f}")
    assert len(pooled) >= 2000
    assert 0.93 <= np.mean(pooled) <= 0.97
    assert min(np.mean(values) for (n, _), values in hits.items() if n == 3) >= 0.91


def _without_workers(gap):
    """The interval without what workers add to it."""
    wide = (gap.interval.high - gap.interval.low) / 3.92
    factor = np.sqrt(max(wide**2 - gap.worker_sd**2, 1e-12)) / wide
    ends = [gap.gap + factor * (end - gap.gap) for end in (gap.interval.low, gap.interval.high)]
    return type(gap.interval)(*ends, gap.interval.level)


def test_the_planted_overdispersion_is_what_it_is_called():
    for true in TRUE:
        assert overdispersion(true) == pytest.approx(true[1], abs=0.01)


@pytest.mark.timeout(7200)
def test_bias_and_spread_by_votes(benchmark):
    benchmark.pedantic(bias_and_spread)


@pytest.mark.timeout(7200)
def test_intervals_cover(benchmark):
    benchmark.pedantic(coverage)
