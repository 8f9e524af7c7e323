from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from replicate.analysis.vote_moments import (
    binomial,
    falling_moments,
    fewer_votes,
    heldout_moments,
    hypergeometric,
    true_distribution,
)
from replicate.base.errors import UsageError


@given(st.integers(1, 12), st.integers(0, 1000), st.data())
def test_falling_moments_are_unbiased(n: int, per_mille: int, data):
    degree, m = data.draw(st.integers(0, n)), per_mille / 1000
    missed = np.arange(n + 1)
    chances = stats.binom.pmf(missed, n, m)
    expected = chances @ falling_moments(missed, np.full(n + 1, n), degree)
    assert expected == pytest.approx(m ** np.arange(degree + 1.0), abs=1e-9)


@given(st.integers(2, 7), st.data())
def test_held_out_moments_are_the_mean_over_all_ways_to_hold_out(n: int, data):
    held = data.draw(st.integers(1, n - 1))
    degree = data.draw(st.integers(0, held))
    missed = data.draw(st.integers(0, n))
    votes = [1] * missed + [0] * (n - missed)
    layers, strata = heldout_moments(np.array([missed]), np.array([n]), held, degree)
    expected = np.zeros((degree + 1, len(strata)))
    ways = list(combinations(range(n), held))
    for chosen in ways:
        out = sum(votes[i] for i in chosen)
        moments = falling_moments(np.array([out]), np.array([held]), degree)[0]
        expected[:, strata.index((n - held, missed - out))] += moments / len(ways)
    assert layers[:, 0] == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.tuples(st.integers(2, 9), st.integers(0, 9)), min_size=1, max_size=5))
def test_taking_one_vote_away(cells: list[tuple[int, int]]):
    shown = np.array([n for n, _ in cells])
    missed = np.minimum([m for _, m in cells], shown)
    chances, left = fewer_votes(missed, shown)
    assert chances.sum(axis=1) == pytest.approx(1)
    for row, (m, n) in enumerate(zip(missed, shown, strict=True)):
        for column, (votes, misses) in enumerate(left):
            wanted = 0.0
            if votes == n - 1:
                wanted = {m: 1 - m / n, m - 1: m / n}.get(misses, 0.0)
            assert chances[row, column] == pytest.approx(wanted, abs=1e-12)


def test_the_mixture_fits_as_plain_em_does():
    rng = np.random.default_rng(3)
    missed, shown = np.arange(6), np.full(6, 5)
    weights = rng.integers(1, 30, size=(2, 6)).astype(float)
    grid = np.linspace(0, 1, 9)
    found, likelihood = true_distribution(weights, missed, shown, grid, rounds=40)
    for row in range(2):
        p = np.full(9, 1 / 9)
        for _ in range(40):
            new = np.zeros(9)
            for cell in range(6):
                post = p * stats.binom.pmf(missed[cell], 5, grid)
                new += weights[row, cell] * post / post.sum()
            p = new / weights[row].sum()
        assert found[row] == pytest.approx(p, abs=1e-9)
    assert likelihood.shape == (6, 9)


def test_too_few_votes_are_said():
    with pytest.raises(UsageError, match="needs 3 votes"):
        falling_moments(np.array([0]), np.array([2]), 3)
    for held, degree in ((2, 1), (1, 2), (0, 0)):
        with pytest.raises(UsageError, match="cannot be held out"):
            heldout_moments(np.array([0]), np.array([2]), held, degree)


def test_the_probabilities_are_those_of_scipy():
    n = np.array([1, 7, 40, 3000])
    for share in (0.0, 0.3, 1.0):
        missed = n // 3
        expected = stats.binom.pmf(missed, n, share)
        assert binomial(missed, n, np.array(share)) == pytest.approx(expected, rel=1e-9)
    out = np.arange(-1, 7)
    for total, marked, drawn in ((7, 3, 5), (40, 40, 6), (3000, 10, 5)):
        expected = stats.hypergeom.pmf(out, total, marked, drawn)
        found = hypergeometric(out, np.array(total), np.array(marked), drawn)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)
