"""The parts of an analysis against reference implementations."""

import numpy as np
import pytest
from scipy import stats

from replicate.analysis.bootstrap import Resamples
from replicate.analysis.equivalence import false_discovery, paired_gap, tost
from replicate.analysis.power import images_needed, images_needed_matched, smallest_gap
from replicate.analysis.replication import analyse
from replicate.analysis.replication_data import Options
from replicate.analysis.robustness import effective_robustness, influence, theil_sen
from replicate.analysis.scales import piecewise, prediction_error
from replicate.analysis.scores import from_items
from replicate.analysis.similarity import similarity, simultaneous_intervals
from replicate.analysis.subgroups import class_gaps, residual_trend
from replicate.base.errors import UsageError


def points(n=15, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(1, 0.6, n)
    return x, 0.8 * x - 0.3 + rng.normal(0, 0.1, n)


def test_theil_sen_is_scipys():
    x, y = points()
    x[3] = x[4]
    expected = stats.theilslopes(y, x)
    assert theil_sen(x, y) == pytest.approx((expected.slope, expected.intercept))
    assert np.isnan(theil_sen([1, 1], [1, 2])).all()


def test_influence_is_that_of_statsmodels():
    import statsmodels.api as sm

    x, y = points()
    found = influence(x, y)
    reference = sm.OLS(y, sm.add_constant(x)).fit().get_influence()
    assert found.leverage == pytest.approx(reference.hat_matrix_diag)
    assert found.cook == pytest.approx(reference.cooks_distance[0])
    for i in range(x.size):
        keep = np.arange(x.size) != i
        assert found.slopes[i] == pytest.approx(np.polyfit(x[keep], y[keep], 1)[0])


def test_effective_robustness_is_the_residual_of_the_others_line():
    rng = np.random.default_rng(2)
    x, y = rng.uniform(0.5, 0.9, (6, 8)), rng.uniform(0.4, 0.8, (6, 8))
    weights = rng.integers(0, 3, (6, 8))
    weights[:, :3] = 2
    mask = np.array([True] * 6 + [False] * 2)
    sides = [Resamples(a[0], a, 1000) for a in (x, y)]
    found = effective_robustness(*sides, mask, "logit", weights)
    u, v = np.log(x / (1 - x)), np.log(y / (1 - y))
    for row in range(6):
        for model in range(8):
            keep = mask & (np.arange(8) != model) & (weights[row] > 0)
            slope, intercept = np.polyfit(
                u[row, keep], v[row, keep], 1, w=np.sqrt(weights[row, keep])
            )
            predicted = 1 / (1 + np.exp(-(slope * u[row, model] + intercept)))
            assert found[row, model] == pytest.approx(y[row, model] - predicted, abs=1e-9)


def test_similarity_counts_pairs():
    items = np.random.default_rng(0).random((200, 4)) < [0.5, 0.7, 0.8, 0.9]
    found = similarity(items)
    for i in range(4):
        for j in range(4):
            assert found.observed[i, j] == pytest.approx((items[:, i] == items[:, j]).mean())
            expected = (items[:, j] & ~items[:, i]).mean()
            assert found.dominance[i, j] == pytest.approx(expected)


def test_simultaneous_intervals_cover_all_models_at_once():
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(20_000, 10))
    found = simultaneous_intervals(np.zeros(10), drawn)
    assert found.quantile == pytest.approx(stats.norm.ppf((1 + 0.95 ** (1 / 10)) / 2), abs=0.05)
    still = simultaneous_intervals(np.ones(3), np.ones((50, 3)))
    assert np.isnan(still.effective_number)


def test_tost_is_that_of_two_one_sided_tests():
    found = tost(0.01, 0.004, 0.02)
    sides = [stats.norm.cdf((0.01 - 0.02) / 0.004), stats.norm.sf((0.01 + 0.02) / 0.004)]
    assert found.p == pytest.approx(max(sides))
    assert tost(0.0, 0.0, 0.01).equivalent
    with pytest.raises(UsageError):
        tost(0, 1, 0)


def test_paired_gap_of_independent_halves_is_newcombes_of_independent_sets():
    from replicate.analysis.intervals import newcombe_gap

    # No correlation: 40 × 60 of 100 right on each side, spread as independence would.
    found = paired_gap(24, 16, 36, 24)
    independent = newcombe_gap(40, 100, 60, 100)
    assert found.interval.low == pytest.approx(independent.low)
    assert found.interval.high == pytest.approx(independent.high)
    assert found.p == pytest.approx(2 * stats.binom.cdf(16, 52, 0.5) - stats.binom.pmf(16, 52, 0.5))


def test_false_discovery_is_that_of_scipy():
    p = np.random.default_rng(0).random(20) ** 2
    assert false_discovery(list(p)) == pytest.approx(stats.false_discovery_control(p))


def test_power_is_that_of_statsmodels():
    from statsmodels.stats.power import NormalIndPower

    found = smallest_gap(0.76, 10_000, 50_000)
    effect = found.gap / np.sqrt(0.76 * 0.24)
    power = NormalIndPower().power(effect, 10_000, 0.05, ratio=5)
    assert power == pytest.approx(0.8, abs=1e-6)
    assert found.gap_unequal > found.gap
    n = images_needed(0.9, 0.02, None)
    assert smallest_gap(0.9, n).gap <= 0.02 < smallest_gap(0.9, n - 1).gap
    for call in (
        lambda: smallest_gap(1.0, 10),
        lambda: smallest_gap(0.5, 0),
        lambda: images_needed(0.5, 0.0),
        lambda: images_needed_matched(0.01, 0.02),
    ):
        with pytest.raises(UsageError):
            call()


def test_the_power_is_reached_in_simulation():
    rng = np.random.default_rng(4)
    gap = smallest_gap(0.8, 3000, 5000).gap_unequal
    a = rng.binomial(5000, 0.8, 4000) / 5000
    b = rng.binomial(3000, 0.8 - gap, 4000) / 3000
    error = np.sqrt(a * (1 - a) / 5000 + b * (1 - b) / 3000)
    shown = (np.abs(a - b) > 1.959964 * error).mean()
    assert shown == pytest.approx(0.8, abs=0.02)


def test_class_gaps_are_welchs():
    rng = np.random.default_rng(5)
    sides = [
        from_items(name, ("a", "b"), rng.random((300, 2)) < p, np.arange(300) % 3)
        for name, p in (("old", 0.9), ("new", 0.7))
    ]
    found = class_gaps(*sides)
    assert len(found) == 3
    overall = sides[0].score.mean() - sides[1].score.mean()
    for item in found:
        a, b = (s.items[s.classes == item.label].mean(axis=1) for s in sides)
        reference = stats.ttest_ind(a, b, equal_var=False)
        ends = reference.confidence_interval(0.95)
        assert (item.interval.low, item.interval.high) == pytest.approx((ends.low, ends.high))
        shifted = stats.ttest_ind(a - overall, b, equal_var=False)
        assert item.p == pytest.approx(shifted.pvalue)
    assert class_gaps(from_items("x", ("a",), np.ones((3, 1), bool)), sides[1]) == ()


def test_a_trend_is_scipys_regression():
    x, y = points()
    reference = stats.linregress(x, y)
    found = residual_trend(x, y)
    assert (found.slope, found.p) == pytest.approx((reference.slope, reference.pvalue))
    half = stats.t.ppf(0.975, 13) * reference.stderr
    assert found.interval.high == pytest.approx(reference.slope + half)
    assert residual_trend([2010, 2010], [0.1, 0.2]) is None


def test_a_bend_is_found_and_a_straight_line_has_none():
    x, y = points(40)
    assert piecewise(x, y, "linear").p > 0.05
    assert piecewise(x[:7], y[:7], "linear") is None
    assert np.isnan(prediction_error([1, 1, 1], [1, 2, 3], "linear"))


def _zoo(rng, accuracy, n):
    latent = rng.normal(size=(n, 1))
    own = rng.normal(size=(n, len(accuracy)))
    rho = 0.5
    return np.sqrt(rho) * latent + np.sqrt(1 - rho) * own < stats.norm.ppf(accuracy)


def test_intervals_cover_planted_values():
    """A small simulation; tests/bench has the large one."""
    rng = np.random.default_rng(7)
    x = np.linspace(0.6, 0.9, 12)
    covered = {"images": 0, "drop": 0, "rho": 0}
    runs = 60
    for run in range(runs):
        u = stats.norm.ppf(x)
        y = stats.norm.cdf(0.9 * u - 0.2)
        names = tuple(f"m{i}" for i in range(12))
        sets = [
            from_items(name, names, _zoo(rng, accuracy, n))
            for name, accuracy, n in (("old", x, 3000), ("new", y, 1500))
        ]
        options = Options(seed=run, resamples=300, scale="probit")
        pair = analyse(sets[0], sets[1:], options).pairs[0]
        covered["images"] += pair.lines["probit"].slope["images"].contains(0.9)
        covered["drop"] += pair.mean_drop_ci["images"].contains((x - y).mean())
        covered["rho"] += pair.robustness["m5"][2].contains(0.0)
    # At 95 %, fewer than 52 of 60 happens once in 200 times.
    assert min(covered.values()) >= 51, covered


def test_planted_inversions_are_resolved_and_ties_are_not():
    rng = np.random.default_rng(3)
    names = tuple("abcdef")
    flat, down = np.full(6, 0.8), np.array([0.9, 0.85, 0.8, 0.75, 0.7, 0.65])
    false_alarms = 0
    for run in range(20):
        sets = [from_items(n, names, _zoo(rng, flat, 1500)) for n in ("old", "new")]
        pair = analyse(sets[0], sets[1:], Options(seed=run, resamples=20)).pairs[0]
        false_alarms += pair.inversions.n_resolved > 0
    assert false_alarms <= 2
    sets = [from_items(n, names, _zoo(rng, a, 3000)) for n, a in (("o", down), ("n", down[::-1]))]
    pair = analyse(sets[0], sets[1:], Options(resamples=20)).pairs[0]
    assert (pair.inverted, pair.inversions.n_resolved) == ((15, 15), 15)


def test_a_pair_outside_the_sets_is_refused():
    items = np.random.default_rng(0).random((30, 3)) < 0.5
    sets = [from_items(name, ("a", "b", "c"), items) for name in ("old", "new")]
    options = Options(resamples=50, pairs={"new": (np.array([31]), np.array([0]))})
    with pytest.raises(UsageError, match="items 0 to 29"):
        analyse(sets[0], sets[1:], options)
    with pytest.raises(UsageError, match="baseline"):
        analyse(sets[0], sets[1:], Options(baseline=frozenset({"z"})))
