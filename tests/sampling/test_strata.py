"""Bins and largest remainders, in exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sampling.oracle import bin_of, wanted

from replicate.base.errors import UsageError
from replicate.sampling.strata import largest_remainder, stratum_labels, stratum_of

TENTHS = [Fraction(2, 10), Fraction(4, 10), Fraction(6, 10), Fraction(8, 10)]


def test_every_quotient_of_votes_falls_where_exact_arithmetic_puts_it() -> None:
    for shown in range(1, 61):
        selected = np.arange(shown + 1)
        expected = [bin_of(k, shown, TENTHS) for k in range(shown + 1)]
        assert stratum_of(selected / shown).tolist() == expected


@given(st.lists(st.integers(0, 50), min_size=1, max_size=9), st.integers(0, 200))
def test_shares_add_up_and_stay_within_one_of_the_exact_share(
    weights: list[int], total: int
) -> None:
    if sum(weights) == 0:
        with pytest.raises(UsageError):
            largest_remainder(np.array(weights), total)
        return
    shares = largest_remainder(np.array(weights), total).tolist()
    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - Fraction(weight * total, sum(weights))) < 1


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(1, 30))
def test_shares_of_a_histogram_are_those_of_plain_loops(bins: list[int], per_class: int) -> None:
    rows = [(str(i), "c", 2 * place + 1, 10) for i, place in enumerate(bins)]
    counts = np.bincount(bins, minlength=5)
    assert largest_remainder(counts, per_class).tolist() == wanted(rows, per_class, TENTHS)


def test_ties_go_to_the_higher_bin() -> None:
    assert largest_remainder(np.array([1, 1]), 3).tolist() == [1, 2]
    assert largest_remainder(np.array([1, 0, 1, 0, 1]), 10).tolist() == [3, 0, 3, 0, 4]


@pytest.mark.parametrize("edges", [[0.4, 0.2], [0.0, 0.5], [0.5, 1.0], [0.5, 0.5]])
def test_bad_edges_are_refused(edges: list[float]) -> None:
    with pytest.raises(UsageError, match="cannot be used"):
        stratum_labels(edges)


def test_no_inner_edge_is_one_bin() -> None:
    assert stratum_labels([]) == ["[0, 1]"]
    assert stratum_of(np.array([0.0, 1.0]), []).tolist() == [0, 0]
