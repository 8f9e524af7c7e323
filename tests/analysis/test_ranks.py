"""Rank measures against scipy, statsmodels and brute force."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from replicate.analysis.ranks import (
    average_ranks,
    holm,
    inversions,
    kendall_tau_b,
    places,
    rank_changes,
    spearman,
)
from replicate.base.errors import UsageError

pairs = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=3, max_size=25)


@given(pairs.filter(lambda rows: all(len({r[i] for r in rows}) > 1 for i in (0, 1))))
def test_correlations_are_scipys_with_ties(rows):
    x, y = np.array(rows).T
    assert spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
    assert kendall_tau_b(x, y) == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-12)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=30))
def test_ranks_are_scipys(values):
    assert average_ranks(values).tolist() == stats.rankdata(values).tolist()
    best_first = stats.rankdata(-np.array(values), method="min")
    assert places(values).tolist() == best_first.tolist()


def test_a_constant_list_has_no_correlation():
    assert np.isnan(spearman([1, 1, 1], [1, 2, 3]))
    assert np.isnan(kendall_tau_b([1, 2, 3], [1, 1, 1]))


@pytest.mark.parametrize("size", [1, 2, 40])
def test_holm_is_statsmodels(size):
    p = np.random.default_rng(size).beta(0.2, 2, size).round(3)
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_rank_changes_share_places_and_sort_by_the_original():
    rows = rank_changes(["c", "b", "a"], [0.7, 0.9, 0.9], [0.6, 0.5, 0.8])
    assert [(r.name, r.original, r.new, r.change) for r in rows] == [
        ("a", 1, 1, 0),
        ("b", 1, 3, -2),
        ("c", 3, 2, 1),
    ]


def _brute_inversions(names, original, new):
    found = set()
    for i, j in itertools.permutations(range(len(names)), 2):
        if original[:, i].sum() > original[:, j].sum() and new[:, i].sum() < new[:, j].sum():
            found.add((names[i], names[j]))
    return found


@given(st.integers(0, 2**32 - 1))
def test_inversions_are_the_brute_force_ones(seed):
    rng = np.random.default_rng(seed)
    names = [f"m{i}" for i in range(6)]
    original = rng.random((40, 6)) < rng.uniform(0.3, 0.9, 6)
    new = rng.random((30, 6)) < rng.uniform(0.3, 0.9, 6)
    found = inversions(names, original, new)
    assert found.n_pairs == 15
    assert {(p.better, p.worse) for p in found.pairs} == _brute_inversions(names, original, new)
    assert found.n_resolved == sum(p.p_adjusted <= 0.05 for p in found.pairs)
    for pair in found.pairs:
        assert pair.p_adjusted >= max(pair.p_original, pair.p_new)


def test_a_difference_that_one_side_cannot_show_is_not_resolved():
    first, second = np.arange(200) < 190, np.arange(200) < 100
    weak = np.stack([np.arange(200) < 150, np.arange(200) < 151], 1)
    strong = np.stack([first, second], 1)
    assert inversions("ab", strong, strong[:, ::-1]).n_resolved == 1
    one_sided = inversions("ab", strong, weak)
    assert (one_sided.n_inverted, one_sided.n_resolved) == (1, 0)


def test_wrong_shapes_are_refused():
    with pytest.raises(UsageError):
        inversions("abc", np.ones((5, 2)), np.ones((4, 2)))
    with pytest.raises(UsageError):
        rank_changes("a", [0.5, 0.6], [0.4, 0.3])
    with pytest.raises(UsageError):
        spearman([1, 2], [1, 2, 3])
