"""Linear probes; the 11-point average precision against its definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from replicate.analysis.probe import linear_probe, mean_average_precision
from replicate.base.errors import UsageError


def _task(seed, n=240, d=10, k=4, noise=1.0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % k
    x = np.eye(d)[y] * 2 + noise * rng.normal(size=(n, d))
    return x[: n // 2], y[: n // 2], x[n // 2 :], y[n // 2 :]


def test_a_probe_does_as_well_as_scikit_learns_at_the_same_penalty():
    x, y, z, t = _task(0)
    found = linear_probe(x, y, z, t, 1)
    scale = x.std(axis=0)
    theirs = LogisticRegression(C=1 / (len(x) * found.penalty), max_iter=5000).fit(x / scale, y)
    assert abs(found.correct - int((theirs.predict(z / scale) == t).sum())) <= 1
    assert found.interval.contains(found.accuracy)
    assert found.by_penalty[found.penalty] == max(found.by_penalty.values())


def test_a_grid_that_ends_too_early_is_told():
    x, y, z, t = _task(1)
    assert linear_probe(x, y, z, t, 1, grid=[1e3, 1e4]).at_edge
    assert not linear_probe(x, y, z, t, 1, grid=[1e-2]).at_edge


def test_rare_classes_count_as_much_in_the_mean_per_class():
    x, y, z, t = _task(2, noise=0.1)
    keep = np.concatenate([np.flatnonzero(t == 0), np.flatnonzero(t == 1)[:2]])
    found = linear_probe(x, y, z[keep], t[keep], 1)
    assert found.mean_per_class == 1.0 == found.average_precision


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 40))
def test_the_average_precision_by_its_definition(seed, n):
    rng = np.random.default_rng(seed)
    scores, y = rng.normal(size=(n, 3)), rng.integers(0, 3, n)
    expected = []
    for c in np.unique(y):
        order = sorted(range(n), key=lambda i: (-scores[i, c], i))
        points = []
        for r in range(11):
            best = 0.0
            for cut in range(1, n + 1):
                hits = sum(y[i] == c for i in order[:cut])
                if hits / (y == c).sum() >= r / 10 - 1e-12:
                    best = max(best, hits / cut)
            points.append(best)
        expected.append(np.mean(points))
    assert mean_average_precision(scores, y) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda x, y, z, t: (x, y, z[:, 1:], t), "one width"),
        (lambda x, y, z, t: (x, y, z, t + 1), "does not have"),
        (lambda x, y, z, t: (x, y, z[:0], t[:0]), "no test item"),
    ],
)
def test_what_cannot_be_probed(change, word):
    with pytest.raises(UsageError, match=word):
        linear_probe(*change(*_task(3)), 1)
