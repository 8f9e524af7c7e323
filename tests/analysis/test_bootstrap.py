"""The bootstrap against theory, brute force, and the clock."""

import time

import numpy as np
import pytest

from replicate.analysis.bootstrap import (
    KINDS,
    image_resamples,
    replication_bootstrap,
)
from replicate.analysis.fits import SCALES, line_fit
from replicate.analysis.joint import small_sample_factor
from replicate.base.errors import UsageError


def _zoo(seed, n=2000, m=12, drop=0.0):
    rng = np.random.default_rng(seed)
    return rng.random((n, m)) < np.linspace(0.6, 0.95, m) - drop


def test_resampled_accuracies_have_the_binomial_spread_and_covariance():
    right = _zoo(1)
    drawn = image_resamples(right, 5, "x", resamples=4000)
    assert drawn.accuracy.mean(axis=0) == pytest.approx(right.mean(axis=0), abs=1e-3)
    expected = np.cov(right.T.astype(float), bias=True) / len(right)
    spread = np.sqrt(np.diag(expected))
    found = np.cov(drawn.accuracy.T) / np.outer(spread, spread)
    # Correlations are estimated to about 1/sqrt(4000) each.
    assert np.abs(found - expected / np.outer(spread, spread)).max() < 0.09


def test_strata_keep_their_sizes():
    classes = np.repeat([2, 0, 1], [50, 30, 20])
    is_class = classes[:, None] == np.array([0, 1, 2])
    drawn = image_resamples(is_class, 1, "x", classes=classes, resamples=50)
    assert np.allclose(drawn.accuracy, [0.3, 0.2, 0.5])
    loose = image_resamples(is_class, 1, "x", resamples=50)
    assert loose.accuracy.std(axis=0).min() > 0.01


def test_stratifying_removes_the_variance_between_classes():
    classes = np.arange(400) % 2
    right = (classes == 0)[:, None] & np.ones((400, 2), bool)
    assert image_resamples(right, 1, "x", classes=classes).accuracy.std() == 0.0
    text = np.where(classes == 0, "cat", "dog")
    assert image_resamples(right, 1, "x", classes=text).accuracy.std() == 0.0


def test_resampling_is_the_same_for_all_models_and_depends_on_seed_and_names():
    right = np.repeat(_zoo(2, m=1), 2, axis=1)
    first = image_resamples(right, 1, "a", resamples=20).accuracy
    assert np.array_equal(first[:, 0], first[:, 1])
    assert np.array_equal(first, image_resamples(right, 1, "a", resamples=20).accuracy)
    assert not np.array_equal(first, image_resamples(right, 2, "a", resamples=20).accuracy)
    assert not np.array_equal(first, image_resamples(right, 1, "b", resamples=20).accuracy)


def _result(level=0.95):
    original = image_resamples(_zoo(3), 1, "original", resamples=600)
    new = image_resamples(_zoo(4, 1500, drop=0.05), 1, "new", resamples=600)
    return original, new, replication_bootstrap(original, new, 1, "new", level=level)


def test_every_scale_and_kind_is_there_and_holds_the_fit():
    original, new, result = _result()
    assert [(i.scale, i.kind) for i in result.lines] == [(s, k) for s in SCALES for k in KINDS]
    for interval in result.lines:
        fit = line_fit(original.observed, new.observed, interval.scale)
        assert interval.slope.low < fit.slope < interval.slope.high
        assert interval.intercept.low < fit.intercept < interval.intercept.high


def test_image_lines_are_the_lines_of_each_resample():
    original, new, result = _result()
    for scale in SCALES:
        fits = [
            line_fit(x, y, scale, n_x=original.n_images, n_y=new.n_images)
            for x, y in zip(original.accuracy, new.accuracy, strict=True)
        ]
        found = next(i for i in result.lines if (i.scale, i.kind) == (scale, "images"))
        slopes = np.quantile([fit.slope for fit in fits], [0.025, 0.975])
        intercepts = np.quantile([fit.intercept for fit in fits], [0.025, 0.975])
        assert (found.slope.low, found.slope.high) == pytest.approx(tuple(slopes), abs=1e-6)
        assert (found.intercept.low, found.intercept.high) == pytest.approx(
            tuple(intercepts), abs=1e-6
        )


def test_model_intervals_have_the_spread_of_resampled_models():
    original, new, result = _result()
    rng = np.random.default_rng(0)
    slopes = []
    for _ in range(1500):
        pick = rng.integers(12, size=12)
        slopes.append(line_fit(original.observed[pick], new.observed[pick]).slope)
    low, middle, high = np.quantile(slopes, [0.025, 0.5, 0.975])
    factor = small_sample_factor(12, 2)
    low, high = middle - factor * (middle - low), middle + factor * (high - middle)
    found = next(i for i in result.lines if (i.scale, i.kind) == ("linear", "models"))
    width = high - low
    assert found.slope.low == pytest.approx(low, abs=0.15 * width)
    assert found.slope.high == pytest.approx(high, abs=0.15 * width)


def test_gap_intervals_have_the_right_width():
    original, new, result = _result()
    gaps = {gap.kind: gap for gap in result.gaps}
    difference = original.observed - new.observed
    assert gaps["images"].estimate == pytest.approx(difference.mean())
    sides = (_zoo(3), _zoo(4, 1500, drop=0.05))
    image_noise = sum(np.cov(side.T.astype(float), bias=True) / len(side) for side in sides)
    variance = {"images": image_noise.sum() / 144, "models": difference.var() / 12}
    # The image noise of single models is in the scatter of the models already.
    own = (image_noise.trace() - image_noise.sum() / 12) / (12 * 11)
    factor = small_sample_factor(12, 1)
    variance["models"] *= factor**2
    variance["both"] = variance["images"] + variance["models"] - own
    for kind in ("images", "models", "both"):
        width = gaps[kind].interval.high - gaps[kind].interval.low
        assert width == pytest.approx(2 * 1.96 * np.sqrt(variance[kind]), rel=0.1)


def test_a_lower_level_is_shorter():
    _, _, wide = _result()
    _, _, narrow = _result(level=0.5)
    for a, b in zip(wide.gaps, narrow.gaps, strict=True):
        assert a.interval.low < b.interval.low < b.interval.high < a.interval.high


def test_degenerate_resamples_of_models_are_left_out_and_counted():
    original = image_resamples(_zoo(1, m=2), 1, "original", resamples=400)
    new = image_resamples(_zoo(2, m=2), 1, "new", resamples=400)
    lines = replication_bootstrap(original, new, 1, "new").lines
    models = next(i for i in lines if (i.scale, i.kind) == ("linear", "models"))
    assert models.n_degenerate + models.n_resamples == 400
    assert 140 < models.n_degenerate < 260  # two models: half of the resamples hold one twice


def test_perfect_models_are_clipped_on_stretched_scales():
    right = np.ones((50, 4), bool)
    right[:20, 0] = right[:10, 1] = False
    drawn = [image_resamples(right, 1, side, resamples=50) for side in "ab"]
    result = replication_bootstrap(drawn[0], drawn[1], 1, "x")
    assert all(np.isfinite([i.slope.low, i.slope.high]).all() for i in result.lines)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (5,)])
def test_empty_predictions_are_refused(shape):
    with pytest.raises(UsageError):
        image_resamples(np.ones(shape), 1, "x")


def test_sets_of_other_models_are_refused():
    a = image_resamples(_zoo(1, m=3), 1, "a", resamples=10)
    b = image_resamples(_zoo(1, m=4), 1, "b", resamples=10)
    with pytest.raises(UsageError, match="same models"):
        replication_bootstrap(a, b, 1, "x")
    with pytest.raises(UsageError, match="one class an image"):
        image_resamples(_zoo(1), 1, "x", classes=[1, 2])


def test_thirty_models_on_ten_thousand_images_take_under_two_seconds():
    right = _zoo(1, 10_000, 30)
    classes = np.arange(10_000) % 10
    start = time.perf_counter()
    original = image_resamples(right, 1, "original", classes=classes)
    new = image_resamples(right[:2000], 1, "new", classes=classes[:2000])
    replication_bootstrap(original, new, 1, "new")
    assert time.perf_counter() - start < 2
