"""Logistic regression against scikit-learn's, folds against their definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from replicate.analysis.logistic import (
    Standardised,
    choose_penalty,
    fit_logistic,
    grouped_folds,
)
from replicate.base.errors import UsageError


@pytest.mark.parametrize("penalty", [1e-3, 1e-1, 10.0])
@pytest.mark.parametrize("k", [2, 4])
def test_it_agrees_with_scikit_learn(penalty, k):
    rng = np.random.default_rng(k)
    x = rng.normal(size=(300, 6))
    y = (x[:, :k] + rng.normal(size=(300, k))).argmax(axis=1)
    ours = fit_logistic(x, y, penalty)
    theirs = LogisticRegression(C=1 / (300 * penalty), tol=1e-10, max_iter=10_000).fit(x, y)
    expected = theirs.predict_proba(x)
    scores = ours.scores(x)
    share = np.exp(scores - scores.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    if k == 2:  # there the reference penalises one vector, ours both: the same with twice λ
        doubled = fit_logistic(x, y, 2 * penalty).scores(x)
        share = np.stack([1 / (1 + np.exp(doubled[:, 1] - doubled[:, 0])), 0 * doubled[:, 0]], 1)
        share[:, 1] = 1 - share[:, 0]
    assert ours.converged
    np.testing.assert_allclose(share, expected, atol=2e-5)


def test_where_it_starts_does_not_matter():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 3)), rng.integers(0, 3, 100)
    cold = fit_logistic(x, y, 0.01)
    warm = fit_logistic(x, y, 0.01, start=fit_logistic(x, y, 1.0))
    np.testing.assert_allclose(cold.weights, warm.weights, atol=1e-5)


@pytest.mark.parametrize(
    ("x", "y", "penalty"),
    [
        (np.zeros((0, 2)), [], 1.0),
        (np.zeros((3, 2)), [0, 0, 0], 1.0),
        (np.zeros((3, 2)), [0, 1], 1.0),
        (np.zeros((3, 2)), [0, 1, 1], 0.0),
    ],
)
def test_what_cannot_be_fitted_is_refused(x, y, penalty):
    with pytest.raises(UsageError):
        fit_logistic(x, y, penalty)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 8), min_size=4, max_size=60).filter(lambda g: len(set(g)) >= 3),
    st.integers(2, 3),
    st.integers(0, 5),
)
def test_folds_never_split_a_group_and_none_is_empty(groups, folds, seed):
    fold = grouped_folds(groups, folds, seed)
    assert set(fold.tolist()) == set(range(folds))
    for group in set(groups):
        assert len({int(f) for f, g in zip(fold, groups, strict=True) if g == group}) == 1
    assert fold.tolist() == grouped_folds(groups, folds, seed).tolist()


def test_fewer_groups_than_folds():
    with pytest.raises(UsageError, match="2 groups cannot be split into 3 folds"):
        grouped_folds(["a", "a", "b"], 3, 0)


def test_the_penalty_is_chosen_on_held_out_items():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(80, 60))
    y = (x[:, 0] + 1.5 * rng.normal(size=80) > 0).astype(int)
    fold = grouped_folds(np.arange(80), 4, 0)
    best, accuracy = choose_penalty(x, y, fold, [1e-6, 1e-2, 1.0, 1e3])
    assert accuracy[best] == max(accuracy.values())
    by_hand = 0
    for part in range(4):
        scaled = Standardised.of(x[fold != part])
        fitted = fit_logistic(scaled(x[fold != part]), y[fold != part], best)
        by_hand += int((fitted.predict(scaled(x[fold == part])) == y[fold == part]).sum())
    assert accuracy[best] == pytest.approx(by_hand / 80, abs=0.0126)


def test_a_feature_that_never_changes_does_no_harm():
    x = np.column_stack([np.arange(6.0), np.ones(6)])
    assert np.isfinite(Standardised.of(x)(x)).all()
