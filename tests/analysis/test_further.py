"""Families, relative robustness, reuse, transfer, cross-set matrices, kinds of shift."""

import numpy as np
import pytest
from scipy import stats

from replicate.analysis.bootstrap import image_resamples
from replicate.analysis.cross_sets import cross_sets
from replicate.analysis.families import family_line
from replicate.analysis.fits import line_fit
from replicate.analysis.relative import relative_robustness
from replicate.analysis.reuse import reuse_bounds
from replicate.analysis.shift_kinds import kinds_together
from replicate.analysis.transfers import transfer
from replicate.base.errors import UsageError


def test_slopes_of_families_are_those_of_least_squares():
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=(2, 20))
    names = [f"f{i % 6}" for i in range(20)]
    found = family_line(u, v, names, 1, resamples=200)
    assert found.slope == pytest.approx(line_fit(u, v).slope)
    keep = np.array([name != "f3" for name in names])
    assert found.without["f3"] == pytest.approx(line_fit(u[keep], v[keep]).slope)
    means = np.array(
        [[side[np.array(names) == f"f{k}"].mean() for k in range(6)] for side in (u, v)]
    )
    assert found.means_slope == pytest.approx(line_fit(*means).slope)


def test_intervals_over_families_cover_where_those_over_models_do_not():
    # Models of a family share an offset from the line: they are not independent witnesses.
    rng, kept, loose, runs = np.random.default_rng(1), 0, 0, 300
    for run in range(runs):
        family = np.repeat(np.arange(12), 6)
        u = rng.normal(size=12)[family] + 0.1 * rng.normal(size=72)
        v = 0.8 * u + 0.5 * rng.normal(size=12)[family] + 0.05 * rng.normal(size=72)
        names = [f"f{i}" for i in family]
        kept += family_line(u, v, names, run, resamples=400).interval.contains(0.8)
        fit = stats.linregress(u, v)
        loose += abs(fit.slope - 0.8) < stats.t.ppf(0.975, 70) * fit.stderr
    assert 0.88 <= kept / runs <= 0.99
    assert loose / runs < 0.75


def test_too_few_families_have_no_interval():
    u = np.arange(6.0)
    found = family_line(u, u, list("aabbcc"), 1, resamples=50)
    assert found.interval is None and found.n_families == 3
    alone = family_line(u, u, ["a"] * 6, 1, resamples=50)
    assert np.isnan(alone.without["a"])
    with pytest.raises(UsageError):
        family_line(u, u, ["a"], 1)


def test_relative_robustness_uses_the_same_images_for_both_models():
    rng = np.random.default_rng(2)
    base = rng.random(2000)
    right = np.column_stack([base < 0.7, base < 0.72])
    drawn = image_resamples(right, 1, "new", resamples=2000)
    (found,) = relative_robustness(drawn, drawn, ("std", "plus"), {"plus": "std"}, {})
    assert found.on_new == pytest.approx(float(right[:, 1].mean() - right[:, 0].mean()))
    # Paired, the interval has the width of McNemar's, not of two independent proportions.
    assert found.interval.high - found.interval.low < 0.02
    assert relative_robustness(drawn, drawn, ("std", "plus"), {"plus": "gone"}, {}) == ()


@pytest.mark.parametrize("k", [1, 50, 5000])
def test_bounds_on_reuse_hold_for_models_that_only_guess(k):
    rng, n = np.random.default_rng(3), 500
    bound = reuse_bounds(n, k, accuracy=0.5)
    worst = [np.abs(rng.binomial(n, 0.5, size=k) / n - 0.5).max() for _ in range(300)]
    assert np.mean(np.array(worst) > bound.fixed) <= 0.05
    assert np.mean(np.array(worst) > bound.fixed_at_accuracy) <= 0.05
    assert bound.single <= bound.fixed <= bound.adaptive
    assert bound.fixed == pytest.approx(np.sqrt(np.log(2 * k / 0.05) / (2 * n)))


def test_bounds_refuse_what_cannot_be():
    for bad in (
        {"n": 0, "models": 1},
        {"n": 1, "models": 0},
        {"n": 9, "models": 1, "accuracy": 1.0},
    ):
        with pytest.raises(UsageError):
            reuse_bounds(**bad)


def test_transfer_is_the_correlation_of_mean_centred_log_odds():
    rng = np.random.default_rng(4)
    names = [f"m{i}" for i in range(12)]
    odds = rng.normal(1, 0.5, 12)
    shares = {
        task: 1 / (1 + np.exp(-(slope * odds + shift + 0.1 * rng.normal(size=12))))
        for task, slope, shift in (("src", 1, 0), ("pets", 0.5, 2), ("birds", 1.5, -1))
    }
    tables = {
        t: {m: (float(x), 10**6) for m, x in zip(names, s, strict=True)} for t, s in shares.items()
    }
    found = transfer(tables["src"], {t: tables[t] for t in ("pets", "birds")}, 1, resamples=500)
    log = {t: np.log(s / (1 - s)) for t, s in shares.items()}
    average = sum(log[t] - log[t].mean() for t in ("pets", "birds")) / 2
    assert found.pearson == pytest.approx(stats.pearsonr(log["src"], average)[0])
    assert found.spearman == pytest.approx(stats.spearmanr(log["src"], average)[0])
    assert found.interval.contains(found.pearson)
    assert found.tasks[0].slope == pytest.approx(stats.linregress(log["src"], log["pets"]).slope)
    del tables["pets"]["m3"]
    fewer = transfer(tables["src"], {t: tables[t] for t in ("pets", "birds")}, 1, resamples=100)
    assert "m3" not in fewer.models and fewer.tasks[1].n_models == 12


def test_few_models_have_a_null_not_a_number():
    two = {"a": (0.5, 100), "b": (0.6, 100)}
    found = transfer(two, {"t": two}, 1, resamples=50)
    assert np.isnan(found.pearson) and found.interval is None
    with pytest.raises(UsageError):
        transfer(two, {}, 1)


def test_the_cross_matrix_by_hand():
    scores = {
        "A": {"m": 0.9, "n": 0.7, "k": 0.4},
        "B": {"m": 0.6, "n": 0.4, "k": 0.9},
        "C": {"m": 0.3},
    }
    found = cross_sets({"m": "A", "n": "A", "k": "B"}, scores)
    np.testing.assert_allclose(found.accuracy, [[0.8, 0.5, 0.3], [0.4, 0.9, np.nan]])
    assert found.n_models.tolist() == [[2, 2, 1], [1, 1, 0]]
    assert found.percent_drop["A"] == pytest.approx((0.8 - 0.4) / 0.8)
    assert np.isnan(cross_sets({"m": "Z"}, scores).percent_drop["Z"])


def test_kinds_of_shift_weigh_the_same_however_many_shifts_they_have():
    rng = np.random.default_rng(5)
    models = [f"m{i}" for i in range(10)]
    natural = rng.normal(size=10)
    rho = {"v2": dict(zip(models, natural, strict=True))}
    noise = {f"c{j}": rng.normal(size=10) for j in range(5)}
    rho |= {name: dict(zip(models, x, strict=True)) for name, x in noise.items()}
    kind = {"v2": "natural", **dict.fromkeys(noise, "synthetic")}
    (found,) = kinds_together(rho, kind, 1, resamples=300)
    mean = np.mean(list(noise.values()), axis=0)
    assert found.pearson == pytest.approx(stats.pearsonr(natural, mean)[0])
    assert found.n_shifts == (1, 5) and found.interval.contains(found.pearson)
    assert kinds_together(rho, {"v2": "natural"}, 1) == ()
