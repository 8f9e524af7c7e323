"""Bins of selection frequency, and how a whole number of images is shared out among them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from replicate.base.errors import UsageError

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PAPER_EDGES = (0.2, 0.4, 0.6, 0.8)


def stratum_labels(edges: Sequence[float] = PAPER_EDGES) -> list[str]:
    """The bins' names, lowest first; every bin but the last lacks its upper end.

    Args:
        edges: Inner edges, increasing, in (0, 1).

    Raises:
        UsageError: The edges are not increasing, or not in (0, 1).

    >>> stratum_labels([0.5, 0.8])
    ['[0, 0.5)', '[0.5, 0.8)', '[0.8, 1]']
    """
    if list(edges) != sorted(set(edges)) or any(not 0.0 < edge < 1.0 for edge in edges):
        raise UsageError(
            f"The bin edges {', '.join(f'{edge:g}' for edge in edges)} cannot be used.",
            "Inner edges increase and lie between 0 and 1: 0.2, 0.4, 0.6, 0.8",
        )
    ends = ["0", *(f"{edge:g}" for edge in edges), "1"]
    closing = [")"] * len(edges) + ["]"]
    return [f"[{a}, {b}{c}" for a, b, c in zip(ends, ends[1:], closing, strict=False)]


def stratum_of(frequency: Floats, edges: Sequence[float] = PAPER_EDGES) -> Counts:
    """The bin of each frequency: a frequency on an edge belongs to the bin above it.

    Args:
        frequency: Selected over shown, not NaN, shape (n,), in [0, 1]. Quotients of whole
            numbers and decimal edges round to the same double where they are equal.
        edges: Inner edges, increasing.

    Returns:
        Shape (n,), 0 for the lowest bin.

    >>> stratum_of(np.array([0.0, 3 / 5, 0.79, 1.0])).tolist()
    [0, 3, 3, 4]
    """
    place = np.zeros(np.shape(frequency), dtype=np.int64)
    for edge in edges:  # they are few: this is faster than a search for each frequency
        place += frequency >= edge
    return place


def largest_remainder(weights: Counts, total: int) -> Counts:
    """Share out a whole number in proportion to whole weights (Hamilton's method).

    Each gets its share rounded down; what is left goes, one each, to the largest remainders;
    among equal remainders to the higher place. The arithmetic is exact.

    How far rounding moves the histogram: of k weights above 0, R places get one more than their
    share rounded down, and theirs are the largest remainders, so the total-variation distance
    (half of the sum of differences of shares) is at most R (k − R) / (k·total), which is at most
    ⌊k/2⌋·⌈k/2⌉ / (k·total) ≤ k / (4·total).

    Args:
        weights: Whole numbers ≥ 0, not all 0, shape (k,); or one such row for each of several
            sharings, shape (n, k). Each times ``total`` is below 2^63.
        total: How many to share out, ≥ 0, in each row.

    Returns:
        Of the same shape, each row adding up to ``total``.

    Raises:
        UsageError: All weights of a row are 0, or something is negative.

    >>> largest_remainder(np.array([1, 1, 1]), 10).tolist()
    [3, 3, 4]
    >>> largest_remainder(np.array([[0, 3, 5], [2, 1, 1]]), 4).tolist()
    [[0, 1, 3], [2, 1, 1]]
    """
    rows = np.atleast_2d(np.asarray(weights, dtype=np.int64))
    whole = rows.sum(axis=1, keepdims=True)
    wrong = (whole[:, 0] <= 0) | (rows < 0).any(axis=1) | (total < 0)
    if wrong.any():
        raise UsageError(
            f"{total} cannot be shared out in proportion to {rows[wrong][0].tolist()}.",
            "Weights are 0 or more, and one of them is above 0.",
        )
    shares, remainders = np.divmod(total * rows, whole)
    # Backwards, a stable sort puts the higher place first among equal remainders.
    order = rows.shape[1] - 1 - np.argsort(-remainders[:, ::-1], axis=1, kind="stable")
    one_more = np.arange(rows.shape[1]) < total - shares.sum(axis=1, keepdims=True)
    np.put_along_axis(shares, order, np.take_along_axis(shares, order, axis=1) + one_more, axis=1)
    return shares.reshape(np.shape(weights))
