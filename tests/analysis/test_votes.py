"""Vote measures against theory, simulation and scipy."""

import numpy as np
import pytest
from scipy import optimize, stats

from replicate.analysis.intervals import wilson
from replicate.analysis.votes import frequencies, heldout_difference, intraclass_correlation
from replicate.base.errors import UsageError


def test_no_votes_are_not_a_frequency_of_zero():
    found = frequencies([0, 0, 3], [0, 10, 4])
    assert np.isnan([found.frequency[0], found.low[0], found.high[0]]).all()
    assert found.frequency[1:].tolist() == [0.0, 0.75]
    assert (found.low[2], found.high[2]) == (wilson(3, 4).low, wilson(3, 4).high)


@pytest.mark.parametrize(("k", "n"), [([3], [2]), ([-1], [2]), ([1, 2], [3])])
def test_impossible_votes_are_refused(k, n):
    with pytest.raises(UsageError):
        frequencies(k, n)


def test_heldout_difference_is_that_of_means_with_welchs_error():
    rng = np.random.default_rng(1)
    n1, n2 = rng.integers(0, 5, 400), rng.integers(0, 5, 300)
    k1, k2 = rng.binomial(n1, 0.9), rng.binomial(n2, 0.8)
    found = heldout_difference(k1, n1, k2, n2, 1, "demo")
    f1, f2 = k1[n1 > 0] / n1[n1 > 0], k2[n2 > 0] / n2[n2 > 0]
    oracle = stats.ttest_ind(f1, f2, equal_var=False)
    assert found.difference == pytest.approx(f1.mean() - f2.mean())
    assert found.difference / found.se == pytest.approx(oracle.statistic)
    assert (found.n_original, found.n_new) == (len(f1), len(f2))
    assert found.n_without == (n1 == 0).sum() + (n2 == 0).sum()
    width = found.interval.high - found.interval.low
    assert width == pytest.approx(2 * 1.96 * found.se, rel=0.1)
    assert found.interval.contains(found.difference)
    assert found == heldout_difference(k1, n1, k2, n2, 1, "demo")
    assert found.interval != heldout_difference(k1, n1, k2, n2, 2, "demo").interval


def test_heldout_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    covered = 0
    for i in range(200):
        truth1, truth2 = rng.beta(4, 1, 150), rng.beta(3, 1, 150)
        k1, k2 = rng.binomial(3, truth1), rng.binomial(3, truth2)
        n = np.full(150, 3)
        found = heldout_difference(k1, n, k2, n, i, "coverage", resamples=300)
        covered += found.interval.contains(4 / 5 - 3 / 4)
    assert 178 <= covered <= 199


def test_heldout_votes_must_exist():
    with pytest.raises(UsageError, match="held-out"):
        heldout_difference([1, 0], [1, 0], [1, 1], [1, 1], 1)


@pytest.mark.parametrize("rho", [0.05, 0.21, 0.39, 0.8])
def test_icc_recovers_the_planted_one(rho):
    rng = np.random.default_rng(3)
    total = (1 - rho) / rho
    n = rng.integers(3, 15, 6000)
    k = rng.binomial(n, rng.beta(0.7 * total, 0.3 * total, 6000))
    assert intraclass_correlation(k, n) == pytest.approx(rho, abs=0.02)


def test_icc_is_the_beta_binomial_maximum_likelihood():
    rng = np.random.default_rng(4)
    n = rng.integers(1, 11, 300)
    k = rng.binomial(n, rng.beta(2, 1, 300))

    def loss(log_ab):
        return -stats.betabinom.logpmf(k, n, *np.exp(log_ab)).sum()

    a, b = np.exp(optimize.minimize(loss, [0.0, 0.0], method="Nelder-Mead", tol=1e-8).x)
    assert intraclass_correlation(k, n) == pytest.approx(1 / (a + b + 1), abs=1e-4)


def test_icc_of_votes_that_cannot_tell():
    assert np.isnan(intraclass_correlation([], []))
    assert np.isnan(intraclass_correlation([1, 0, 1], [1, 1, 1]))
    assert np.isnan(intraclass_correlation([5, 5], [5, 5]))
    assert np.isnan(intraclass_correlation([0, 0], [0, 0]))
