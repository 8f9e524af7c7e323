"""What name-that-dataset's interval covers, and how often its test cries wolf.

Run with --benchmark-only. In each world sets that differ by a planted shift are drawn 2,000 times;
the truth is the mean AUC, on fresh items, of classifiers trained on as many.
"""

import numpy as np
import pytest

from replicate.analysis.discriminator import GRID, Design, told
from replicate.analysis.logistic import grouped_folds
from replicate.analysis.relabelled import held_out_scores
from replicate.analysis.roc import area

pytestmark = pytest.mark.timeout(7200)
RUNS, TRUTHS, FRESH = 2000, 400, 1000
DESIGN = Design(permutations=60)
EVEN, OWNERS = (1,), (1, 1, 2, 8)
# Groups a set, items of the groups in turn, features, shift, correlation within a group.
WORLDS = {
    "10 items": (10, EVEN, 5, 0.0, 0.0),
    "20 items": (20, EVEN, 5, 0.0, 0.0),
    "20 items, shift 1": (20, EVEN, 5, 1.0, 0.0),
    "20 items, shift 2": (20, EVEN, 5, 2.0, 0.0),
    "20 items, 50 features": (20, EVEN, 50, 0.0, 0.0),
    "20 items, 50 features, shift 2": (20, EVEN, 50, 2.0, 0.0),
    "100 items": (100, EVEN, 20, 0.0, 0.0),
    "100 items, shift 0.6": (100, EVEN, 20, 0.6, 0.0),
    "100 items, shift 1.2": (100, EVEN, 20, 1.2, 0.0),
    "60 items, 150 features, shift 1.5": (60, EVEN, 150, 1.5, 0.0),
    "12 groups of 5": (12, (5,), 8, 0.0, 0.5),
    "12 groups of 5, shift 1": (12, (5,), 8, 1.0, 0.5),
    "40 groups of 4": (40, (4,), 20, 0.0, 0.5),
    "40 groups of 4, shift 0.8": (40, (4,), 20, 0.8, 0.5),
    "40 groups of 1 to 8": (40, OWNERS, 10, 0.0, 0.5),
    "40 groups of 1 to 8, shift 0.8": (40, OWNERS, 10, 0.8, 0.5),
}


def _draw(rng, world, moved):
    groups, sizes, features, shift, icc = world
    at = np.repeat(np.arange(groups), np.resize(sizes, groups))
    own = rng.normal(size=(len(at), features))
    x = np.sqrt(icc) * rng.normal(size=(groups, features))[at] + np.sqrt(1 - icc) * own
    x[:, 0] += moved * shift
    return x, at


def _truth(rng, world):
    """The mean AUC on fresh items, which stand in for one fold."""
    if not world[3]:
        return 0.5
    worth = []
    for run in range(TRUTHS):
        parts, labels, folds = [], [], []
        for moved in (0, 1):
            x, at = _draw(rng, world, moved)
            fold = grouped_folds(at, DESIGN.folds, run, "truth", moved)
            fresh = rng.normal(size=(FRESH, world[2]))
            fresh[:, 0] += moved * world[3]
            parts += [x[fold < DESIGN.folds - 1], fresh]
            folds += [fold[fold < DESIGN.folds - 1], np.full(FRESH, DESIGN.folds - 1)]
            labels.append(np.full(len(parts[-2]) + FRESH, 2.0 * moved - 1))
        fold, signs = np.concatenate(folds), np.concatenate(labels)[:, None]
        scores, _ = held_out_scores(np.concatenate(parts), signs, fold, GRID)
        last = fold == DESIGN.folds - 1
        worth.append(float(area(scores[last, 0], signs[last, 0] > 0)))
    return float(np.mean(worth))


def _world(name):
    world = WORLDS[name]
    rng = np.random.default_rng(100 + list(WORLDS).index(name))
    truth = _truth(rng, world)
    inside = told_apart = 0
    mean = []
    for run in range(RUNS):
        (a, left), (b, right) = (_draw(rng, world, moved) for moved in (0, 1))
        found = told(a, left, b, right, run, "new", DESIGN)
        inside += found.interval.contains(truth)
        told_apart += found.p <= 0.05
        mean.append(found.auc)
    return truth, float(np.mean(mean)), inside / RUNS, told_apart / RUNS


def test_the_interval_covers_and_the_test_keeps_its_level(benchmark):
    rows = benchmark.pedantic(lambda: {name: _world(name) for name in WORLDS}, rounds=1)
    benchmark.extra_info.update({name: list(row) for name, row in rows.items()})
    print("\n| world | true AUC | mean AUC | covered | told apart |\n|---|---|---|---|---|")
    for name, (truth, mean, covered, told_apart) in rows.items():
        print(f"| {name} | {truth:.3f} | {mean:.3f} | {covered:.3f} | {told_apart:.3f} |")
        assert abs(truth - mean) < 0.012, name  # cross-validation aims at what it should
    pooled = float(np.mean([row[2] for row in rows.values()]))
    print(f"pooled: {pooled:.4f}")
    assert 0.93 <= pooled <= 0.97
    null = {name: row for name, row in rows.items() if not WORLDS[name][3]}
    for name, row in rows.items():
        assert 0.92 <= row[2] <= 0.985, (name, row)
    for name, row in null.items():
        assert 0.03 <= row[3] <= 0.07, (name, row)
