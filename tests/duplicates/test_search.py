"""The search finds exactly the pairs within the radius."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.base.errors import GuardError, UsageError
from replicate.duplicates import search
from replicate.duplicates.search import distances, pairs_among, pairs_within, popcount

words = st.one_of(
    st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 3, 255, 2**63, 2**64 - 1]), st.integers(0, 15)
)


def listed(pairs: search.Pairs) -> list[tuple[int, int, int]]:
    return list(
        zip(
            pairs.reference.tolist(),
            pairs.candidate.tolist(),
            pairs.distance.tolist(),
            strict=True,
        )
    )


def oracle(first: np.ndarray, second: np.ndarray, radius: int) -> list[tuple[int, int, int]]:
    found = []
    one_word = 1 if first.ndim == 1 else 4
    for i, one in enumerate(first.reshape(len(first), one_word).tolist()):
        for j, two in enumerate(second.reshape(len(second), one_word).tolist()):
            bits = sum((a ^ b).bit_count() for a, b in zip(one, two, strict=True))
            if bits <= radius:
                found.append((i, j, bits))
    return found


@settings(max_examples=80, deadline=None)
@given(
    first=st.lists(st.tuples(words, words, words, words), max_size=12),
    second=st.lists(st.tuples(words, words, words, words), max_size=12),
    wide=st.booleans(),
    radius=st.integers(0, 256),
    block=st.sampled_from([1, 5, 1 << 20]),
)
def test_pairs_are_those_of_plain_loops(
    first: list[tuple[int, ...]],
    second: list[tuple[int, ...]],
    wide: bool,
    radius: int,
    block: int,
) -> None:
    one = np.array(first, dtype=np.uint64).reshape(len(first), 4)
    two = np.array(second, dtype=np.uint64).reshape(len(second), 4)
    if not wide:
        one, two = one[:, 0], two[:, 0]
    patch = pytest.MonkeyPatch()
    with patch.context() as changed:
        changed.setattr(search, "_BLOCK", block)
        assert listed(pairs_within(one, two, radius)) == oracle(one, two, radius)
        among = [pair for pair in oracle(one, one, radius) if pair[0] < pair[1]]
        assert listed(pairs_among(one, radius)) == among


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=20))
def test_popcount_with_and_without_numpy_2(values: list[int]) -> None:
    array = np.array(values, dtype=np.uint64)
    expected = [value.bit_count() for value in values]
    assert popcount(array).tolist() == expected
    assert search._popcount_by_arithmetic(array).tolist() == expected


def test_distances_side_by_side() -> None:
    one = np.array([[0, 0, 0, 0], [1, 2, 3, 4]], dtype=np.uint64)
    two = np.array([[0, 0, 0, 2**64 - 1], [1, 2, 3, 4]], dtype=np.uint64)
    assert distances(one, two).tolist() == [64, 0]
    assert distances(one[:, 3], two[:, 3]).tolist() == [64, 0]


def test_mixed_lengths_and_negative_radius_are_refused() -> None:
    narrow, wide = np.zeros(2, np.uint64), np.zeros((2, 4), np.uint64)
    with pytest.raises(UsageError, match="64 and of 256 bits"):
        pairs_within(narrow, wide, 3)
    with pytest.raises(UsageError, match="radius is -1"):
        pairs_within(narrow, narrow, -1)


def test_six_thousand_against_four_thousand_within_a_second() -> None:
    random = np.random.default_rng(0)
    first = random.integers(0, 2**64, 6000, dtype=np.uint64)
    second = random.integers(0, 2**64, 4000, dtype=np.uint64)
    second[7] = first[5000] ^ np.uint64(5)
    start = time.process_time()
    pairs = pairs_within(first, second, 10)
    assert time.process_time() - start < 1.0
    assert (5000, 7, 2) in listed(pairs)


def test_more_pairs_than_stated_are_refused_early() -> None:
    same = np.zeros(20_000, dtype=np.uint64)  # 400 million pairs
    start = time.process_time()
    with pytest.raises(GuardError, match="More than 1,000,000 pairs") as refused:
        pairs_within(same, same, 0, most=1_000_000)
    assert "smaller radius" in refused.value.hint
    with pytest.raises(GuardError, match="More than 5 pairs"):
        pairs_among(same[:5], 0, most=5)
    assert len(pairs_among(same[:5], 0, most=10)) == 10
    assert time.process_time() - start < 2.0
