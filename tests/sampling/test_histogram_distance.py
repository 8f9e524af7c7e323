"""How far the histogram of a matched set can lie from the original's: never beyond the bound."""

from collections import Counter
from fractions import Fraction

import numpy as np
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from replicate.sampling.estimated import _whole
from replicate.sampling.frequencies import frequencies
from replicate.sampling.request import Request
from replicate.sampling.strata import PAPER_EDGES, largest_remainder, stratum_labels, stratum_of
from replicate.sampling.strategies import plan


def bound(bins: int, images: int) -> Fraction:
    """⌊k/2⌋·⌈k/2⌉/(k·images), of k bins that the original has images in."""
    return Fraction((bins // 2) * ((bins + 1) // 2), bins * images)


def distance(one: list[int], two: list[int]) -> Fraction:
    """The total-variation distance of two histograms: half of the sum of differences of shares."""
    n, m = sum(one), sum(two)
    return sum(abs(Fraction(a, n) - Fraction(b, m)) for a, b in zip(one, two, strict=True)) / 2


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12), st.integers(1, 60))
@example([1, 1], 1)  # here the distance is the bound
@example([1, 1, 1, 1], 2)
@example([1] * 5, 2)
def test_rounding_moves_a_histogram_by_no_more_than_the_bound(weights: list[int], images: int):
    assume(sum(weights) > 0)
    shares = largest_remainder(np.array(weights), images).tolist()
    assert distance(shares, weights) <= bound(sum(w > 0 for w in weights), images)


def test_the_bound_is_reached():
    for bins, images in ((2, 1), (4, 2), (5, 2), (5, 12)):
        shares = largest_remainder(np.ones(bins, dtype=np.int64), images).tolist()
        assert distance(shares, [1] * bins) == bound(bins, images)


ROWS = st.lists(st.tuples(st.integers(0, 10), st.sampled_from("01")), min_size=1, max_size=60)


@settings(max_examples=150, deadline=None)
@given(original=ROWS, pool=ROWS, images=st.integers(1, 12), fill=st.booleans())
def test_a_drawn_set_lies_within_rounding_and_what_was_filled(original, pool, images, fill):
    old, there = (
        frequencies((f"{kind}{i}", c, k, 10) for i, (k, c) in enumerate(rows))
        for kind, rows in (("o", original), ("p", pool))
    )
    request = Request("m", "matched-frequency", images, seed=1, min_votes=1, fill=fill,
                      min_original_images=1)  # fmt: skip
    found = plan(request, there, old, ["0", "1"])
    labels = stratum_labels(PAPER_EDGES)
    for class_id in {c for _, c in original}:
        chosen = [item for item in found.chosen if item.class_id == class_id]
        if len(chosen) < images:
            continue  # infeasible: nothing is promised
        drawn = Counter(item.stratum for item in chosen)
        wanted = old.of_class(class_id)
        own = np.bincount(stratum_of(wanted.frequency, PAPER_EDGES), minlength=len(labels)).tolist()
        filled = Fraction(sum(item.filled for item in chosen), images)
        far = distance([drawn[label] for label in labels], own)
        assert far <= bound(sum(n > 0 for n in own), images) + filled


@given(st.lists(st.tuples(st.floats(0, 9), st.integers(0, 9)), min_size=1, max_size=12), st.data())
def test_whole_images_lie_near_what_the_solver_wants(cells, data):
    """matched-estimated: a quarter of an image a cell, and what the solver's sum is off by."""
    wanted = np.array([min(want, there) for want, there in cells])
    available = np.array([there for _, there in cells])
    images = data.draw(st.integers(0, int(available.sum())))
    moved = np.abs(_whole(wanted, available, images) - wanted).sum() / 2
    assert moved <= len(cells) / 4 + abs(wanted.sum() - images) + 1e-6
