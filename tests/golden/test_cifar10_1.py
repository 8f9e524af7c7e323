"""The published CIFAR-10.1 predictions must give the published numbers, to the last digit shown.

The predictions (30 models, their authors' own files) are read from beside the project and are
never copied into it.
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from replicate.analysis.bootstrap import image_resamples, replication_bootstrap
from replicate.analysis.fits import line_fit
from replicate.analysis.intervals import newcombe_gap
from replicate.analysis.ranks import inversions, kendall_tau_b, rank_changes, spearman

_BESIDE = Path(__file__).resolve().parents[2].parent / "shared" / "data"
FOLDER = Path(os.environ.get("REPLICATE_SHARED_DATA", _BESIDE)) / "cifar10.1"

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the published CIFAR-10.1 predictions are not beside the project"
)

# scale: (slope, intercept), and R² of the linear line, as published.
PUBLISHED = {
    "v4": {
        "fits": {
            "linear": (1.6166, -0.6551),
            "probit": (0.9515, -0.3986),
            "logit": (0.8385, -0.4966),
        },
        "r2": 0.9887,
        "drop": 8.11,
        "spearman": 0.978,
        "kendall": 0.888,
        "best": 0.9297,
    },
    "v6": {
        "fits": {
            "linear": (1.5952, -0.6318),
            "probit": (0.9496, -0.3811),
            "logit": (0.8393, -0.4715),
        },
        "r2": 0.9897,
        "drop": 7.78,
        "spearman": 0.971,
        "kendall": 0.861,
        "best": 0.9310,
    },
}
BEST = "shake_shake_26_2x64d_SSI_cutout16"


@pytest.fixture(scope="module")
def right():
    """set name → (right answers of shape (images, models), labels); and the models' names."""
    names = sorted(p.name for p in (FOLDER / "original_predictions").iterdir())
    sets = {}
    for name in ("original", "v4", "v6"):
        labels = np.load(FOLDER / f"{name}_labels.npy")
        columns = [
            json.loads((FOLDER / f"{name}_predictions" / file).read_text()) for file in names
        ]
        sets[name] = (np.equal(np.array(columns).T, labels[:, None]), labels)
    return [name.removesuffix("_predictions.json") for name in names], sets


def _accuracy(right, name):
    return right[1][name][0].mean(axis=0)


def test_the_files_are_the_published_ones(right):
    names, sets = right
    assert len(names) == 30
    assert [sets[name][0].shape for name in ("original", "v4", "v6")] == [
        (10_000, 30),
        (2_021, 30),
        (2_000, 30),
    ]


@pytest.mark.parametrize("name", ["v4", "v6"])
@pytest.mark.parametrize("scale", ["linear", "probit", "logit"])
def test_lines(right, name, scale):
    fit = line_fit(_accuracy(right, "original"), _accuracy(right, name), scale)
    slope, intercept = PUBLISHED[name]["fits"][scale]
    assert fit.slope == pytest.approx(slope, abs=6e-5)
    assert fit.intercept == pytest.approx(intercept, abs=6e-5)
    assert (fit.n, fit.n_clipped) == (30, 0)
    if scale == "linear":
        assert fit.r2 == pytest.approx(PUBLISHED[name]["r2"], abs=6e-5)


@pytest.mark.parametrize("name", ["v4", "v6"])
def test_drops_and_ranks(right, name):
    original, new = _accuracy(right, "original"), _accuracy(right, name)
    published = PUBLISHED[name]
    assert 100 * (original - new).mean() == pytest.approx(published["drop"], abs=6e-3)
    assert spearman(original, new) == pytest.approx(published["spearman"], abs=6e-4)
    assert kendall_tau_b(original, new) == pytest.approx(published["kendall"], abs=6e-4)
    best = rank_changes(right[0], original, new)[0]
    assert (best.name, best.original, best.new) == (BEST, 1, 1)
    index = right[0].index(BEST)
    assert original[index] == pytest.approx(0.9711, abs=1e-9)
    assert new[index] == pytest.approx(published["best"], abs=6e-5)


def test_24_of_435_pairs_invert_on_v4_and_none_is_resolved(right):
    names, sets = right
    found = inversions(names, sets["original"][0], sets["v4"][0])
    assert (found.n_pairs, found.n_inverted, found.n_resolved) == (435, 24, 0)


@pytest.mark.parametrize("name", ["v4", "v6"])
def test_intervals_hold_the_published_estimates(right, name):
    names, sets = right
    drawn = [
        image_resamples(sets[s][0], 7, s, classes=sets[s][1], resamples=500)
        for s in ("original", name)
    ]
    result = replication_bootstrap(drawn[0], drawn[1], 7, name)
    for interval in result.lines:
        slope, intercept = PUBLISHED[name]["fits"][interval.scale]
        assert interval.slope.contains(slope)
        assert interval.intercept.contains(intercept)
    gaps = {gap.kind: gap for gap in result.gaps}
    assert gaps["images"].estimate == pytest.approx(PUBLISHED[name]["drop"] / 100, abs=6e-5)
    # A drop of eight points on two thousand images is far from chance, for every model alone.
    assert all(gap.interval.low > 0.05 for gap in gaps.values())
    correct = {s: sets[s][0].sum(axis=0) for s in ("original", name)}
    size = len(sets[name][1])
    for i in range(len(names)):
        k1, k2 = int(correct["original"][i]), int(correct[name][i])
        assert newcombe_gap(k1, 10_000, k2, size).low > 0.02
