"""The sentences claim what the intervals allow, and no more."""

import dataclasses

import pytest
from reporting.plausible import report_data

from replicate.analysis.bootstrap import GapInterval
from replicate.analysis.intervals import Interval
from replicate.analysis.ranks import Inversions
from replicate.analysis.votes import HeldoutDifference
from replicate.reporting.findings import findings, headline, primary


@pytest.fixture(scope="module")
def data():
    return report_data(n_models=6, resamples=100)


def _with_gap(data, index, estimate, low, high):
    gap = GapInterval("both", estimate, Interval(low, high))
    items = list(data.comparisons)
    items[index] = dataclasses.replace(items[index], gaps=(gap,))
    return dataclasses.replace(data, comparisons=tuple(items))


def _topic(data, topic):
    return next(item.text for item in findings(data) if item.topic == topic)


def test_a_drop_is_a_drop(data):
    text = headline(_with_gap(data, 0, 0.081, 0.07, 0.095))
    assert "The 6 models of this zoo lose 8.1 points of accuracy on average" in text
    assert "95 % interval 7.0 to 9.5, over images and models" in text
    assert "“matched”" in text


def test_a_drop_that_chance_explains_is_not_claimed(data):
    text = headline(_with_gap(data, 0, 0.01, -0.004, 0.02))
    assert "no drop that can be told from chance (mean 1.0 points" in text
    assert "lose" not in text


def test_a_gain_is_told_as_a_gain_with_its_own_signs(data):
    text = headline(_with_gap(data, 0, -0.02, -0.03, -0.01))
    assert "gain 2.0 points of accuracy on average (95 % interval 1.0 to 3.0" in text


def test_no_resolved_difference_is_not_replication(data):
    text = _topic(_with_gap(data, 1, 0.01, -0.01, 0.03), "threshold-0.7")
    assert "does not prove that it is zero" in text
    assert "does not prove" not in _topic(_with_gap(data, 1, 0.05, 0.01, 0.09), "threshold-0.7")


def test_controls_say_what_was_expected_and_whether_zero_is_covered(data):
    covered = _topic(_with_gap(data, 5, 0.001, -0.01, 0.012), "Control test-rest")
    assert "the interval covers zero" in covered
    assert data.comparisons[5].set.expect in covered
    missed = _topic(_with_gap(data, 5, 0.05, 0.03, 0.07), "Control test-rest")
    assert "the interval does not cover zero" in missed


@pytest.mark.parametrize(
    ("inverted", "resolved", "expected"),
    [
        (0, 0, "The order of the models is the same on both."),
        (4, 0, "4 of 15 pairs of models change places, none of them by more than chance"),
        (4, 2, "change places, 2 of them by more than chance explains on both sets."),
    ],
)
def test_order(data, inverted, resolved, expected):
    first, *rest = data.comparisons
    first = dataclasses.replace(first, inversions=Inversions(15, inverted, resolved, ()))
    assert expected in headline(dataclasses.replace(data, comparisons=(first, *rest)))


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.01, 0.05, "harder for them too"),
        (-0.05, -0.01, "easier for them"),
        (-0.01, 0.02, "no difference in difficulty can be told from chance"),
    ],
)
def test_the_match_is_judged_by_its_interval(data, low, high, expected):
    middle = (low + high) / 2
    held = HeldoutDifference(0.9, 0.9 - middle, middle, 0.01, Interval(low, high), 9, 9, 0)
    frequencies = tuple(
        dataclasses.replace(item, heldout=held if item.name == "matched" else None)
        for item in data.frequencies
    )
    text = _topic(dataclasses.replace(data, frequencies=frequencies), "The match")
    assert expected in text
    assert "simulated workers select" in text


def test_the_headline_speaks_of_the_matched_set(data):
    turned = dataclasses.replace(data, comparisons=tuple(reversed(data.comparisons)))
    assert primary(turned).set.name == "matched"
    controls = dataclasses.replace(data, comparisons=data.controls)
    assert primary(controls) is None
    assert "nothing to compare" in headline(controls)


def test_one_model_is_spoken_of_in_the_singular():
    data = report_data(n_models=1, resamples=100, bare=True)
    assert headline(data).startswith("The one model of this zoo loses ")
