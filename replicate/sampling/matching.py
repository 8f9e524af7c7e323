"""MatchedFrequency, as the paper has it: each class gets the histogram of its original images.

A class whose original images lie in k bins gets a histogram of n images within a total-variation
distance of ⌊k/2⌋·⌈k/2⌉ / (k·n) by rounding (`replicate.sampling.strata.largest_remainder`), and of
f / n more if f images fill bins that are short: each is moved from one bin to another.

All classes are worked on at once: there may be a thousand, with half a million candidates.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from replicate.sampling.feasibility import ORIGINAL_IMAGES, Need
from replicate.sampling.strata import (
    PAPER_EDGES,
    Counts,
    Floats,
    stratum_labels,
)

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Allocation:
    """How many images each stratum of some classes gives.

    Attributes:
        wanted: By class and stratum, shape (n, k): the original's histogram in images of the
            new set.
        own: How many of the wanted ones come from the stratum itself, shape (n, k).
        filling: Shape (n, k, k): [c, i, j] images of stratum j stand in for stratum i; j > i.
        missing: How many are missing after that, shape (n, k).
    """

    wanted: Counts
    own: Counts
    filling: Counts
    missing: Counts

    @property
    def given(self) -> Counts:
        """How many images each stratum gives, for itself and for lower ones, shape (n, k)."""
        given: Counts = self.own + self.filling.sum(axis=-2)
        return given


def histograms(strata: Counts, classes: Counts, shape: tuple[int, int]) -> Counts:
    """How many images of each class lie in each stratum.

    Args:
        strata: The stratum of each image.
        classes: Its class, from 0; images of class -1 are left out.
        shape: The number of classes and of strata.

    >>> histograms(np.array([1, 0, 1]), np.array([0, -1, 0]), (1, 2)).tolist()
    [[0, 2]]
    """
    counted = classes >= 0
    cells = classes[counted] * shape[1] + strata[counted]
    return np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)


def allocate(wanted: Counts, there: Counts, fill: bool = False) -> Allocation:
    """Decide how many images each stratum gives, for all classes at once.

    Filling goes upwards only (people agree more on what stands in), and takes only what a higher
    stratum does not need itself: strata are served from the highest down, and each takes from
    the nearest higher one first.

    Args:
        wanted: By class and stratum, shape (n, k).
        there: Eligible candidates likewise.
        fill: Whether higher strata may stand in.

    >>> allocate(np.array([[3, 1, 1]]), np.array([[1, 2, 5]]), fill=True).filling.tolist()
    [[[0, 1, 1], [0, 0, 0], [0, 0, 0]]]
    >>> allocate(np.array([[3, 1, 1]]), np.array([[1, 2, 5]])).missing.tolist()
    [[2, 0, 0]]
    """
    own = np.minimum(wanted, there)
    left = there - own
    missing = wanted - own
    n, k = wanted.shape
    filling = np.zeros((n, k, k), dtype=np.int64)
    if fill:
        for short in range(k - 1, -1, -1):
            for higher in range(short + 1, k):
                taken = np.minimum(missing[:, short], left[:, higher])
                filling[:, short, higher] = taken
                missing[:, short] -= taken
                left[:, higher] -= taken
    return Allocation(wanted, own, filling, missing)


def class_needs(
    class_ids: Sequence[str],
    allocation: Allocation,
    there: Counts,
    edges: Sequence[float] = PAPER_EDGES,
) -> list[Need]:
    """An allocation as needs, one for each class and stratum.

    >>> allocation = allocate(np.array([[3, 1]]), np.array([[1, 2]]))
    >>> [need.missing for need in class_needs(["7"], allocation, np.array([[1, 2]]), [0.5])]
    [2, 0]
    """
    labels = stratum_labels(edges)
    filled = allocation.filling.sum(axis=-1)
    return list(
        map(
            Need,
            [name for name in class_ids for _ in labels],
            labels * len(class_ids),
            allocation.wanted.ravel().tolist(),
            there.ravel().tolist(),
            filled.ravel().tolist(),
            allocation.missing.ravel().tolist(),
        )
    )


def first_of_cells(
    cells: Counts, wanted: Counts, keys: Floats, before: Mask
) -> tuple[Counts, Counts]:
    """So many rows of each cell, by a random order; those of before come first.

    Args:
        cells: The cell of each row.
        wanted: How many rows of each cell, at the most as many as it has.
        keys: A random number in [0, 1) for each row.
        before: Whether a row comes first.

    Returns:
        The rows, cell by cell, and for each its rank in the cell, from 0.

    >>> keys, none = np.array([0.5, 0.2, 0.1]), np.zeros(3, dtype=bool)
    >>> first_of_cells(np.array([0, 0, 1]), np.array([1, 1]), keys, none)[0].tolist()
    [1, 2]
    """
    there = np.bincount(cells, minlength=len(wanted))
    # Most rows lie far behind: those below a bound are looked at, and all where they do not do.
    bound = (wanted + 4.0 * np.sqrt(wanted) + 6.0) / np.maximum(there, 1)
    near = before | (keys <= bound[cells])
    few = np.bincount(cells[near], minlength=len(wanted)) < wanted
    if few.any():
        near |= few[cells]
    rows = np.flatnonzero(near)
    group = 2 * cells[rows] + ~before[rows]
    order = np.argsort(group + keys[rows])  # the fast way, exact unless two sums are too near
    further = np.diff(group[order])
    if ((further < 0) | (further == 0) & (np.diff(keys[rows[order]]) <= 0)).any():
        order = np.lexsort((keys[rows], group))
    rows = rows[order]
    inside = cells[rows]
    begin = np.searchsorted(inside, np.arange(len(wanted)))
    rank = np.arange(len(rows)) - begin[inside]
    taken = rank < wanted[inside]
    return rows[taken], rank[taken]


def too_few_originals(class_id: str, annotated: int, wanted: int) -> Need:
    """The need for more annotated original images, without which no histogram is trusted.

    >>> too_few_originals("7", 12, 20).missing
    8
    """
    return Need(class_id, ORIGINAL_IMAGES, wanted, annotated, 0, wanted - annotated)
