"""Planted truth: bias, spread and coverage of every estimator of the adjusted gap.

Run with `pytest -n0 -s tests/bench/test_adjust.py -o addopts=--import-mode=importlib
--benchmark-only`; the table that it prints is the one of docs/adjust.md. Six minutes on one core.
"""

from collections import defaultdict

import numpy as np
from scipy import special

from replicate.analysis.adjust import Judged, adjusted_gaps
from replicate.analysis.adjust_estimators import ESTIMATORS, Sums, degree_for, recommended_for

SEEDS = 200
VOTES = (3, 5, 10, 20, 40)
SIZE = 2000
GAPS = (0.0, 0.02, 0.05)
TRUE = {
    "beta": lambda rng, k: rng.beta(2.2, 0.9, k),
    "two humps": lambda rng, k: np.where(
        rng.random(k) < 0.25, rng.beta(2, 6, k), rng.beta(9, 1.5, k)
    ),
    "near 1": lambda rng, k: rng.beta(8, 0.6, k),
}
ACCURACY = {
    "power": lambda s: 0.35 + 0.6 * s**1.5,
    "sigmoid": lambda s: 0.15 + 0.8 * special.expit(9 * (s - 0.55)),
}
MODELS = 10


def side(rng, true, accuracy, n: int, pool: bool, gap: float, workers: bool) -> Judged:
    """An original, or a pool of the same population with more of the ambiguous images."""
    s = TRUE[true](rng, SIZE * 12)
    s = s[rng.random(s.size) < ((1.25 - s) / 1.25 if pool else 0.25 + 0.75 * s)][:SIZE]
    right = rng.binomial(MODELS, np.clip(ACCURACY[accuracy](s) - gap * pool, 0, 1)) / MODELS
    if not workers:
        return Judged(rng.binomial(n, s), np.full(SIZE, n), right)
    # Workers who are stricter or laxer: each votes on many images, each image has others.
    strictness = rng.normal(0, 0.4, 200)
    own = strictness[rng.integers(0, 200, (SIZE, n))]
    chance = special.expit(special.logit(np.clip(s, 1e-6, 1 - 1e-6))[:, None] + own)
    return Judged((rng.random((SIZE, n)) < chance).sum(axis=1), np.full(SIZE, n), right)


def cells(images: Judged, n: int):
    missed = images.shown - images.selected
    counts = np.bincount(missed, minlength=n + 1)[None].astype(float)
    return counts, np.bincount(missed, weights=images.correct, minlength=n + 1)[None]


def bias_and_spread() -> None:
    errors = defaultdict(list)
    for true in TRUE:
        for accuracy in ACCURACY:
            for n in VOTES:
                place = np.arange(n + 1), np.full(n + 1, n)
                for seed in range(SEEDS):
                    rng = np.random.default_rng([seed, n])
                    gap = GAPS[seed % len(GAPS)]
                    old = side(rng, true, accuracy, n, False, 0.0, workers=False)
                    new = side(rng, true, accuracy, n, True, gap, workers=False)
                    sums = Sums(*place, *cells(old, n), *place, *cells(new, n))
                    errors["raw", n, true, accuracy].append(
                        old.correct.mean() - new.correct.mean() - gap
                    )
                    for name, estimator in ESTIMATORS.items():
                        found = old.correct.mean() - estimator(sums, *degree_for(n))[0]
                        errors[name, n, true, accuracy].append(found - gap)
    print("\n| votes | " + " | ".join(["raw", *ESTIMATORS]) + " |")
    for n in VOTES:
        row = []
        for name in ("raw", *ESTIMATORS):
            worlds = [100 * np.array(v) for key, v in errors.items() if key[:2] == (name, n)]
            worst = max((w.mean() for w in worlds), key=abs)
            row.append(f"{worst:+.2f} ({np.mean([w.std() for w in worlds]):.2f})")
        print(f"| {n} | " + " | ".join(row) + " |")
    for (name, n, *_), values in errors.items():
        if n >= 5 and name == recommended_for(n):
            noise = 2 * np.std(values) / np.sqrt(SEEDS)
            assert abs(np.mean(values)) <= 0.005 + noise, (name, n, *_)


def coverage() -> None:
    hits = defaultdict(list)
    for workers in (False, True):
        for true in TRUE:
            for accuracy in ACCURACY:
                for n in VOTES:
                    for seed in range(85 if not workers else 20):
                        rng = np.random.default_rng([seed, n, 7])
                        old = side(rng, true, accuracy, n, False, 0.0, workers)
                        new = side(rng, true, accuracy, n, True, 0.02, workers)
                        found = adjusted_gaps(old, new, seed, resamples=300)
                        gap = found.estimators[found.recommended]
                        hits[n, workers].append(gap.interval.contains(0.02))
    for key, values in sorted(hits.items()):
        print(key, len(values), np.mean(values))
    # Where workers are stricter or laxer than others, votes of different images are not
    # independent, and counts alone cannot know it: shown, not asserted.
    pooled = [
        hit for (n, shared), values in hits.items() if n >= 5 and not shared for hit in values
    ]
    assert len(pooled) >= 2000
    assert 0.93 <= np.mean(pooled) <= 0.97


def test_bias_and_spread_by_votes(benchmark):
    benchmark.pedantic(bias_and_spread)


def test_intervals_cover(benchmark):
    benchmark.pedantic(coverage)
