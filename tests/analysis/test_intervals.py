"""Intervals against statsmodels and scipy, and their coverage against the exact binomial."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from replicate.analysis.intervals import (
    clopper_pearson,
    mcnemar_midp,
    newcombe_gap,
    wilson,
    wilson_bounds,
)
from replicate.base.errors import UsageError


@st.composite
def counts(draw):
    n = draw(st.integers(1, 3000))
    return draw(st.integers(0, n)), n


@given(counts(), st.sampled_from([0.8, 0.95, 0.99]))
def test_clopper_pearson_is_statsmodels_beta(kn, level):
    k, n = kn
    interval = clopper_pearson(k, n, level)
    low, high = proportion_confint(k, n, alpha=1 - level, method="beta")
    assert interval.low == pytest.approx(low, abs=1e-10)
    assert interval.high == pytest.approx(high, abs=1e-10)
    assert interval.contains(k / n)


@given(counts(), st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_is_statsmodels_wilson(kn, level):
    k, n = kn
    interval = wilson(k, n, level)
    low, high = proportion_confint(k, n, alpha=1 - level, method="wilson")
    assert interval.low == pytest.approx(low, abs=1e-10)
    assert interval.high == pytest.approx(high, abs=1e-10)
    assert interval.contains(k / n)


@given(counts(), counts())
def test_newcombe_is_statsmodels_newcombe(first, second):
    interval = newcombe_gap(*first, *second)
    low, high = confint_proportions_2indep(*first, *second, method="newcomb", compare="diff")
    assert interval.low == pytest.approx(low, abs=1e-9)
    assert interval.high == pytest.approx(high, abs=1e-9)
    other = newcombe_gap(*second, *first)
    assert (other.low, other.high) == pytest.approx((-interval.high, -interval.low))


@pytest.mark.parametrize("p", [0.02, 0.5, 0.93])
def test_clopper_pearson_covers_at_least_its_level(p):
    n = 60
    k = np.arange(n + 1)
    covers = np.array([clopper_pearson(int(i), n).contains(p) for i in k])
    assert stats.binom.pmf(k, n, p)[covers].sum() >= 0.95


def test_wilson_bounds_of_arrays_are_the_scalars():
    low, high = wilson_bounds([0, 3, 7], [4, 9, 7])
    for i, (k, n) in enumerate([(0, 4), (3, 9), (7, 7)]):
        assert (low[i], high[i]) == (wilson(k, n).low, wilson(k, n).high)
    assert low[0] == 0.0 and high[2] == 1.0


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_midp_sums_the_binomial(b, c):
    n = b + c
    point = stats.binom.pmf(np.arange(n + 1), n, 0.5)
    distance = np.abs(np.arange(n + 1) - n / 2)
    mine = abs(b - n / 2)
    expected = point[distance > mine].sum() + point[distance == mine].sum() / 2
    expected = 1.0 if n == 0 else expected
    assert float(mcnemar_midp(b, c)) == pytest.approx(expected, abs=1e-9)


def test_mcnemar_midp_is_below_the_exact_test():
    exact = mcnemar([[5, 14], [4, 9]], exact=True).pvalue
    midp = float(mcnemar_midp(14, 4))
    assert midp == pytest.approx(exact - stats.binom.pmf(4, 18, 0.5))


@pytest.mark.parametrize("arguments", [(1, 0), (-1, 5), (6, 5), (1, 2, 1.0), (1, 2, 0.0)])
def test_impossible_counts_are_refused(arguments):
    with pytest.raises(UsageError):
        clopper_pearson(*arguments)
    with pytest.raises(UsageError):
        wilson(*arguments)


def test_negative_discordant_counts_are_refused():
    with pytest.raises(UsageError):
        mcnemar_midp([1, -1], [2, 2])
