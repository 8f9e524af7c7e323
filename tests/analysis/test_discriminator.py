"""Name That Dataset: controls, groups, the test of the null and what the interval covers."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from replicate.analysis.discriminator import Design, tell_apart, told
from replicate.analysis.relabelled import held_out_scores, relabelled
from replicate.analysis.roc import area, placements
from replicate.base.errors import UsageError


def test_the_area_is_scikit_learns_with_ties_and_for_many_columns():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (200, 3)) > 0
    scores = np.round(rng.normal(size=(200, 3)) + labels, 1)  # with ties
    expected = [roc_auc_score(labels[:, i], scores[:, i]) for i in range(3)]
    assert area(scores, labels) == pytest.approx(expected, abs=1e-12)
    placed = placements(scores, labels)
    ups = [float(placed[labels[:, i], i].mean()) for i in range(3)]
    downs = [float(placed[~labels[:, i], i].mean()) for i in range(3)]
    assert ups == pytest.approx(expected, abs=1e-12)
    assert downs == pytest.approx(expected, abs=1e-12)
    assert np.isnan(area([1.0, 2.0], [True, True]))


@pytest.mark.parametrize("shape", [(90, 5), (40, 60)], ids=["tall", "wide"])
def test_held_out_scores_are_those_of_scikit_learns_ridge(shape):
    rng = np.random.default_rng(1)
    x, fold = rng.normal(size=shape), np.arange(shape[0]) % 3
    signs = np.where(rng.random((shape[0], 2)) < 0.5, -1.0, 1.0)
    scores, penalty = held_out_scores(x, signs, fold, [0.3])
    assert (penalty == 0.3).all()
    for k in range(3):
        train = fold != k
        scale = StandardScaler().fit(x[train])
        for column in range(2):
            there = RidgeClassifier(alpha=0.3 * train.sum())
            there.fit(scale.transform(x[train]), signs[train, column])
            expected = there.decision_function(scale.transform(x[~train]))
            assert scores[~train, column] == pytest.approx(expected, abs=1e-8)


def test_labels_are_permuted_by_whole_groups_and_stay_balanced_in_each_fold():
    group = np.repeat(np.arange(30), np.resize([1, 2, 3], 30))
    fold = (group % 3)[:]
    made = relabelled(group, fold, 200, np.random.default_rng(2))
    assert set(np.unique(made)) == {-1.0, 1.0}
    for each in range(30):
        assert (made[group == each] == made[group == each][0]).all()
    assert all(np.abs(made[fold == k].sum(axis=0)).max() <= 1 for k in range(3))
    assert abs(made.mean()) < 0.02 and len(np.unique(made, axis=1).T) > 150


def _worlds(groups, each, features, shift, icc, runs, permutations=40):
    """Of sets that differ by a shift: areas, intervals, p, and what the classifiers are worth."""
    rng = np.random.default_rng(int(1000 * shift) + groups)
    found = []
    for run in range(runs):
        sides = []
        for moved in (0.0, shift):
            owner = np.repeat(rng.normal(size=(groups, features)), each, axis=0)
            x = np.sqrt(icc) * owner + np.sqrt(1 - icc) * rng.normal(size=owner.shape)
            sides.append(x + moved * np.eye(features)[0])
        at = np.repeat(np.arange(groups), each)
        found.append(told(sides[0], at, sides[1], at, run, "new", Design(5, permutations)))
    return found


def test_sets_alike_are_told_apart_in_five_of_a_hundred_and_half_is_in_the_interval():
    found = _worlds(16, 2, 6, 0.0, 0.5, 300)
    false = np.mean([item.p <= 0.05 for item in found])
    inside = np.mean([item.interval.contains(0.5) for item in found])
    assert 0.015 <= false <= 0.09  # 5 % and 3.2 standard errors; fits taken as given: 13 % and more
    assert 0.91 <= inside <= 0.985
    assert abs(np.mean([item.auc for item in found]) - 0.5) < 0.02


def test_an_interval_covers_what_such_classifiers_are_worth():
    found = _worlds(20, 1, 5, 1.0, 0.0, 250)
    worth = 0.696  # on fresh items, by simulation (tests/bench/test_name_that_dataset.py)
    assert abs(np.mean([item.auc for item in found]) - worth) < 0.02
    assert 0.91 <= np.mean([item.interval.contains(worth) for item in found]) <= 0.985
    assert 0.3 <= np.mean([item.p <= 0.05 for item in found]) <= 0.57  # and its power


def test_sets_alike_are_not_told_apart_and_sets_that_differ_are():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(300, 8)), rng.normal(size=(200, 8))
    same = tell_apart(a, b, 1)
    assert same.new.interval.contains(0.5) and same.negative.interval.contains(0.5)
    assert same.new.p > 0.05 < same.negative.p
    assert same.positive.interval.low > 0.6  # moved by one standard deviation
    assert same.positive.p == pytest.approx(1 / 501)
    moved = tell_apart(a, b + np.eye(8)[0] * 1.5, 1)
    assert moved.new.interval.low > 0.75
    assert moved.new.n == (200, 200)  # the larger set is brought to the size of the smaller
    again = tell_apart(a, b + np.eye(8)[0] * 1.5, 1)
    assert moved == again


def test_copies_of_one_image_do_not_give_a_set_away():
    # Each image is there four times; items by themselves would be recognised across folds.
    rng = np.random.default_rng(3)
    a, b = (np.repeat(rng.normal(size=(30, 40)), 4, axis=0) for _ in range(2))
    group = np.repeat(np.arange(30), 4)
    honest = tell_apart(a, b, 1, groups_original=group, groups_new=group)
    leaky = tell_apart(a, b, 1)
    assert honest.new.interval.contains(0.5) and honest.new.p > 0.05
    assert leaky.new.auc > 0.9 and leaky.new.p < 0.01


def test_sets_that_are_wholly_told_apart_have_an_interval_below_one():
    rng = np.random.default_rng(4)
    found = tell_apart(rng.normal(size=(15, 2)), rng.normal(20, 1, size=(15, 2)), 1).new
    assert found.auc == 1 and 0.5 < found.interval.low < 0.95 and found.interval.high > 1 - 1e-9
    assert found.p == pytest.approx(1 / 501)


def test_features_that_never_change_tell_nothing():
    found = tell_apart(np.ones((20, 3)), np.ones((20, 3)), 1).new
    assert found.auc == 0.5 and found.p == 1 and found.interval.contains(0.5)


@pytest.mark.parametrize(
    ("original", "new", "word"),
    [
        (np.zeros((9, 2)), np.zeros((9, 3)), "same model"),
        (np.zeros((9, 2)), np.full((9, 2), np.nan), "not a number"),
        (np.zeros(9), np.zeros((9, 2)), "shape"),
        (np.zeros((3, 2)), np.zeros((3, 2)), "folds"),
    ],
)
def test_what_cannot_be_used_is_refused(original, new, word):
    with pytest.raises(UsageError) as caught:
        tell_apart(original, new, 1)
    assert word in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("wrong", [{"folds": 2}, {"permutations": 3}])
def test_too_few_folds_or_permutations_are_refused(wrong):
    with pytest.raises(UsageError, match="at least 3 folds"):
        tell_apart(np.zeros((30, 2)), np.zeros((30, 2)), 1, design=Design(**wrong))
