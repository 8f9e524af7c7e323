"""Covariates of a set, from its record and in sentences."""

import pytest

from replicate.reporting.balance import Balance, CovariateMean, balance_of, balance_words

MEAN = {
    "name": "year",
    "original": 2010.0,
    "before": 2012.0,
    "after": 2010.2,
    "sd": 4.0,
    "difference_before": 0.5,
    "difference_after": 0.05,
}
MATCH = {"covariates": {"means": [MEAN], "frequency_shift": {"expected": -0.01, "se": 0.002}}}


def test_a_sets_record_becomes_sentences() -> None:
    found = balance_of(MATCH)
    assert found == Balance((CovariateMean(**MEAN),), -0.01, 0.002)
    said = " ".join(balance_words(found))
    assert "original 2010, this set 2010.2 (+0.05 standard deviations; +0.50 if" in said
    assert "by -0.0100 (standard error 0.0020)" in said


@pytest.mark.parametrize("match", [{}, {"covariates": None}, {"covariates": {"means": []}}])
def test_nothing_was_matched(match) -> None:
    assert balance_of(match) is None
