"""Name That Dataset: controls, groups, and the area under a curve against a reference."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from replicate.analysis.discriminator import auc, tell_apart
from replicate.base.errors import UsageError


def test_the_area_is_scikit_learns():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    scores = np.round(rng.normal(size=200) + labels, 1)  # with ties
    found = auc(scores, labels, np.arange(200))
    assert found.auc == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert found.interval.low < found.auc < found.interval.high


def test_its_interval_covers_the_truth_with_and_without_groups():
    # Two groups' items are alike; the truth is Φ(1/√2) for a shift of one standard deviation.
    rng, truth, inside, loose = np.random.default_rng(1), 0.7602499, 0, 0
    for _ in range(400):
        group = np.repeat(np.arange(60), 4)
        labels = (group % 2).astype(int)
        scores = rng.normal(size=60)[group] + labels
        inside += auc(scores, labels, group).interval.contains(truth)
        loose += auc(scores, labels, np.arange(240)).interval.contains(truth)
    assert 0.92 <= inside / 400 <= 0.98
    assert loose / 400 < 0.85  # taken as independent the items promise too much


def test_sets_alike_are_not_told_apart_and_sets_that_differ_are():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(300, 8)), rng.normal(size=(200, 8))
    same = tell_apart(a, b, 1)
    assert same.new.interval.contains(0.5) and same.negative.interval.contains(0.5)
    assert same.positive.interval.low > 0.6  # moved by one standard deviation
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
    assert honest.new.interval.contains(0.5)
    assert leaky.new.auc > 0.9


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
