"""Counts are checked, and eligibility gives the first reason that holds."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.base.errors import UsageError
from replicate.sampling.frequencies import eligibility, frequencies

ROWS = [("b", "1", 3, 4), ("a", "1", 0, 0), ("a", "0", 2, 2), ("c", "10", 1, 5)]


def test_rows_are_sorted_and_split_by_class() -> None:
    table = frequencies(ROWS)
    assert list(zip(table.class_id.tolist(), table.image_id.tolist(), strict=True)) == [
        ("0", "a"),
        ("1", "a"),
        ("1", "b"),
        ("10", "c"),
    ]
    assert table.of_class("1").image_id.tolist() == ["a", "b"]
    assert len(table.of_class("2")) == 0
    assert table.class_ids() == ["0", "1", "10"]
    assert np.isnan(table.frequency).tolist() == [False, True, False, False]


def test_an_empty_table_works() -> None:
    table = frequencies([])
    assert len(table) == len(table.of_class("0")) == 0
    assert table.class_ids() == []
    assert eligibility(table, 5).tolist() == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "0", 1, 2), ("a", "0", 1, 2)], "a is there twice for class 0"),
        ([("a", "0", 3, 2)], "selected 3 times and shown 2"),
        ([("a", "0", -1, 2)], "selected -1 times"),
    ],
)
def test_impossible_counts_are_refused(rows: list[tuple[str, str, int, int]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        frequencies(rows)


def test_reasons_come_in_order() -> None:
    table = frequencies([("a", "0", 0, 0), ("b", "0", 1, 2), ("c", "0", 5, 5), ("d", "0", 5, 5)])
    excluded = {("a", "0"): "flagged", ("d", "0"): "flagged"}
    assert eligibility(table, 3, excluded).tolist() == ["flagged", "too_few_votes", "", "flagged"]
    assert eligibility(table, 3).tolist() == ["no_votes", "too_few_votes", "", ""]
    assert eligibility(table, 0).tolist()[0] == "no_votes"


def test_an_image_of_two_classes_stays_for_one() -> None:
    best_frequency = frequencies([("a", "0", 2, 5), ("a", "1", 3, 5)])
    assert eligibility(best_frequency, 3).tolist() == ["other_class", ""]
    most_votes = frequencies([("a", "0", 3, 6), ("a", "1", 5, 10), ("a", "2", 2, 4)])
    assert eligibility(most_votes, 3).tolist() == ["other_class", "", "other_class"]
    tie = frequencies([("a", "0", 3, 6), ("a", "1", 3, 6)])
    assert eligibility(tie, 3).tolist() == ["", "other_class"]
    not_eligible_there = frequencies([("a", "0", 1, 6), ("a", "1", 2, 2)])
    assert eligibility(not_eligible_there, 3).tolist() == ["", "too_few_votes"]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcde"), st.sampled_from("012"), st.integers(0, 9)),
        unique_by=lambda row: row[:2],
    ),
    st.randoms(use_true_random=False),
)
def test_each_image_is_eligible_once_at_most_whatever_the_order(
    rows: list[tuple[str, str, int]], order: random.Random
) -> None:
    full = [(image, cls, min(k, 7), 7) for image, cls, k in rows]
    table = frequencies(full)
    reasons = eligibility(table, 5)
    left = table.image_id[reasons == ""].tolist()
    assert sorted(left) == sorted({image for image, _, _ in rows})
    order.shuffle(full)
    assert eligibility(frequencies(full), 5).tolist() == reasons.tolist()
