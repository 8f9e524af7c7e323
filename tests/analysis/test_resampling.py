"""Resamples by compiled counts against the plain way, and against theory."""

import subprocess
import sys

import numpy as np
import pytest

from replicate.analysis import resampling
from replicate.analysis.resampling import (
    grouped_design,
    plain_design,
    resampled_means,
    stratified_design,
)
from replicate.base.errors import UsageError
from replicate.base.randomness import stream


def by_hand(items, design, resamples, seed, *names):
    """The same resamples, item by item (as many as go into one block)."""
    draws = len(design.start)
    words = (draws + 1) // 2
    raw = stream(seed, "bootstrap-images", *names, 0).bit_generator.random_raw(resamples * words)
    out = []
    for row in raw.reshape(resamples, words):
        parts = np.stack([row & np.uint64(0xFFFFFFFF), row >> np.uint64(32)], axis=1).ravel()[
            :draws
        ]
        size = design.size.astype(np.uint64)
        units = design.start + ((parts * size) >> np.uint64(32)).astype(np.int64)
        drawn = np.concatenate([np.flatnonzero(design.unit_of == unit) for unit in units])
        out.append(items[drawn].mean(axis=0))
    return np.array(out)


@pytest.mark.parametrize("kind", ["plain", "strata", "uneven", "groups"])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("compiled", [True, False])
def test_equal_to_the_plain_way(kind, binary, compiled, monkeypatch):
    monkeypatch.setattr(resampling, "_WORTH_COMPILING", 0 if compiled else 10**12)
    monkeypatch.setattr(resampling, "_AT_ONCE", 100)
    rng = np.random.default_rng(3)
    items = rng.random((41, 5)) if not binary else rng.random((41, 5)) < 0.7
    if kind == "strata":
        items = items[:40]
    n = len(items)
    design = {
        "plain": lambda: plain_design(n),
        "strata": lambda: stratified_design(np.arange(n) % 4),
        "uneven": lambda: stratified_design(np.arange(n) % 7),
        "groups": lambda: grouped_design(np.arange(n) // 6),
    }[kind]()
    found = resampled_means(items, design, 30, 5, "x")
    assert found == pytest.approx(by_hand(items, design, 30, 5, "x"), abs=1e-6)


def test_the_spread_is_that_of_theory():
    rng = np.random.default_rng(1)
    classes = np.arange(400) % 40  # ten an item: the correction of balanced strata matters
    p = 0.3 + 0.6 * (classes % 2)
    items = (rng.random(400) < p)[:, None]
    within = np.mean([items[classes == c].var(ddof=1) for c in range(40)])
    drawn = resampled_means(items, stratified_design(classes), 8000, 1, "x")
    assert drawn.std() == pytest.approx(np.sqrt(within / 400), rel=0.03)
    drawn = resampled_means(items, plain_design(400), 8000, 1, "x")
    assert drawn.std() == pytest.approx(np.sqrt(items.var() / 400), rel=0.03)
    groups = np.arange(400) // 20
    means = np.array([items[groups == g].mean() for g in range(20)])
    drawn = resampled_means(items, grouped_design(groups), 8000, 1, "x")
    assert drawn.std() == pytest.approx(means.std(ddof=1) / np.sqrt(20), rel=0.03)


def test_neither_threads_nor_order_of_models_change_a_resample(monkeypatch):
    items = np.random.default_rng(0).random((700, 9)) < 0.8
    first = resampled_means(items, plain_design(700), 50, 1, "x")
    monkeypatch.setattr("replicate.analysis.resampling.usable_cores", lambda: 1)
    assert np.array_equal(first, resampled_means(items, plain_design(700), 50, 1, "x"))
    turned = resampled_means(items[:, ::-1].copy(), plain_design(700), 50, 1, "x")
    assert np.array_equal(first[:, ::-1], turned)


def test_one_group_has_no_cluster_bootstrap():
    with pytest.raises(UsageError, match="two groups"):
        grouped_design([1, 1])


def test_without_a_place_for_compiled_code():
    code = (
        "import numba.core.caching as c;"
        "c.CacheImpl._locator_classes = [];"
        "import numpy as np; import replicate.analysis.resampling as r;"
        "r._WORTH_COMPILING = 0; from replicate.analysis.resampling import *;"
        "print(resampled_means(np.eye(4, 2) > 0, plain_design(4), 5, 1, 'x').shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "(5, 2)", done.stderr
