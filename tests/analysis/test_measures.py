"""Macro-F1 and areas under curves: against scikit-learn, an exact bootstrap, and the truth."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from replicate.analysis.measures import macro_auc, macro_f1, measured, moved
from replicate.analysis.replication import analyse, draw
from replicate.analysis.replication_data import Options
from replicate.base.errors import UsageError


def _world(rng, n, classes=4):
    labels = rng.choice(classes, n, p=np.arange(1, classes + 1) / (classes * (classes + 1) / 2))
    scores = rng.normal(size=(n, classes))
    scores[np.arange(n), labels] += 1.2
    return labels, np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def test_values_are_scikit_learns():
    labels, probs = _world(np.random.default_rng(0), 400)
    predicted = probs.argmax(axis=1)
    predicted[:7] = 9  # a class that no label has
    expected = f1_score(labels, predicted, labels=np.unique(labels), average="macro")
    assert macro_f1(predicted, labels).value == pytest.approx(expected, abs=1e-12)
    expected = roc_auc_score(labels, probs, multi_class="ovr")
    assert macro_auc(probs, labels).value == pytest.approx(expected, abs=1e-12)
    two = labels > 1
    rounded = np.round(probs[:, 3], 1)  # ties
    found = macro_auc(rounded[:, None], two).value
    assert found == pytest.approx(roc_auc_score(two, rounded), abs=1e-12)
    assert macro_f1([0, 0], [1, 1]).value == 0 and macro_f1([3, 3], [3, 3]).value == 1


@pytest.mark.parametrize("metric", ["f1", "auc"])
def test_influence_is_the_change_of_the_score_with_an_items_weight(metric):
    rng = np.random.default_rng(1)
    labels, probs = _world(rng, 60)
    predicted = probs.argmax(axis=1)

    def score(at):
        if metric == "f1":
            return macro_f1(predicted[at], labels[at])
        return macro_auc(probs[at], labels[at])

    every = np.arange(60)
    base, times = score(every), 2000
    assert base.influence.mean() == pytest.approx(0, abs=1e-12)
    for item in (0, 7, 31):
        # All items a thousand times and one of them once more: what its weight moves.
        again = score(np.concatenate([np.repeat(every, times), [item]]))
        change = (again.value - base.value) * (60 * times + 1)
        assert change == pytest.approx(base.influence[item], rel=0.02, abs=1e-3)


def test_resampled_scores_spread_as_in_an_exact_bootstrap():
    rng = np.random.default_rng(2)
    labels, probs = _world(rng, 500)
    predicted = probs.argmax(axis=1)
    f1 = measured("x", {"m": macro_f1(predicted, labels)}, labels, {})
    auc = measured("x", {"m": macro_auc(probs, labels)}, labels, {})
    exact = {"f1": [], "auc": []}
    for _ in range(400):
        at = rng.integers(0, 500, 500)
        exact["f1"].append(macro_f1(predicted[at], labels[at]).value)
        exact["auc"].append(macro_auc(probs[at], labels[at]).value)
    for name, scores in (("f1", f1), ("auc", auc)):
        ours = draw(scores, Options(resamples=2000)).accuracy[:, 0]
        assert ours.std() == pytest.approx(np.std(exact[name]), rel=0.15)
        assert ours.mean() == pytest.approx(scores.score[0], abs=0.005)


def test_intervals_from_the_influence_cover_the_truth():
    rng, hits = np.random.default_rng(3), {"f1": 0, "auc": 0}
    labels, probs = _world(rng, 100_000)
    truth = {"f1": macro_f1(probs.argmax(axis=1), labels).value,
             "auc": macro_auc(probs, labels).value}  # fmt: skip
    for _ in range(800):
        labels, probs = _world(rng, 250)
        made = {"f1": macro_f1(probs.argmax(axis=1), labels), "auc": macro_auc(probs, labels)}
        for kind, measure in made.items():
            error = 1.96 * np.sqrt((measure.influence**2).mean() / 250)
            ends = moved(np.array([measure.value]), np.array([[-error], [error]]), 250)[:, 0]
            hits[kind] += ends[0] <= truth[kind] <= ends[1]
    assert all(0.925 <= count / 800 <= 0.975 for count in hits.values()), hits


def test_an_analysis_of_another_measure_has_lines_but_no_counts():
    rng = np.random.default_rng(4)
    sets = []
    for name in ("old", "new"):
        labels, _ = _world(rng, 300)
        measures = {}
        for i in range(6):
            wrong = rng.random(300) < 0.1 + 0.1 * i
            measures[f"m{i}"] = macro_f1(np.where(wrong, (labels + 1) % 4, labels), labels)
        sets.append(measured(name, measures, labels, {}))
    found = analyse(sets[0], sets[1:], Options(resamples=300))
    pair, on_new = found.pairs[0], found.models["m2"]["new"]
    assert pair.lines["logit"].slope["both"] is not None and pair.mean_drop_ci["images"] is not None
    assert on_new.correct is None and on_new.interval.contains(on_new.accuracy)
    assert pair.inversions is None and not found.similarity
    assert not any("only totals" in text for text in found.warnings)
    assert sets[0].columns(("m3",)).influence.shape == (300, 1)


def test_what_cannot_be_measured():
    with pytest.raises(UsageError, match="two classes"):
        macro_auc([[0.1], [0.2]], [1, 1])
    with pytest.raises(UsageError, match="every class"):
        macro_auc([[0.1], [0.2], [0.3]], [0, 1, 2])
    with pytest.raises(UsageError, match="one prediction"):
        macro_f1([1, 2], [1])
    assert moved(np.array([1.0]), np.zeros((1, 1)), 50)[0, 0] == pytest.approx(0.99)
