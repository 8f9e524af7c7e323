"""MatchedFrequency, as the paper has it: the original's histogram, class by class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from replicate.sampling.feasibility import ORIGINAL_IMAGES, Need
from replicate.sampling.strata import (
    PAPER_EDGES,
    Counts,
    Floats,
    largest_remainder,
    stratum_labels,
    stratum_of,
)


@dataclass(frozen=True)
class Allocation:
    """How many images each stratum of a class gives.

    Attributes:
        wanted: By stratum, shape (k,): the original's histogram in images of the new set.
        own: By stratum: how many of the wanted ones come from the stratum itself.
        filling: Shape (k, k): [i, j] images of stratum j stand in for stratum i; j > i.
        missing: By stratum: how many are missing after that.
    """

    wanted: Counts
    own: Counts
    filling: Counts
    missing: Counts


def wanted_by_stratum(
    original: Floats, per_class: int, edges: Sequence[float] = PAPER_EDGES
) -> Counts:
    """The histogram of a class's original images, scaled to the size of the new class.

    Largest remainder; ties go to the higher bin.

    Args:
        original: Frequencies of the class's annotated original images, shape (n,), n ≥ 1.
        per_class: Images wanted.
        edges: Inner edges of the bins.

    Returns:
        Shape (bins,), adding up to ``per_class``.

    >>> wanted_by_stratum(np.array([0.1, 0.9, 1.0, 0.8]), 10).tolist()
    [2, 0, 0, 0, 8]
    """
    counts = np.bincount(stratum_of(original, edges), minlength=len(edges) + 1)
    return largest_remainder(counts, per_class)


def allocate(wanted: Counts, there: Counts, fill: bool = False) -> Allocation:
    """Decide how many images each stratum gives.

    Filling goes upwards only (people agree more on what stands in), and takes only what a higher
    stratum does not need itself: strata are served from the highest down, and each takes from
    the nearest higher one first.

    Args:
        wanted: By stratum, shape (k,).
        there: Eligible candidates by stratum, shape (k,).
        fill: Whether higher strata may stand in.

    >>> allocate(np.array([3, 1, 1]), np.array([1, 2, 5]), fill=True).filling.tolist()
    [[0, 1, 1], [0, 0, 0], [0, 0, 0]]
    >>> allocate(np.array([3, 1, 1]), np.array([1, 2, 5])).missing.tolist()
    [2, 0, 0]
    """
    own = np.minimum(wanted, there)
    left = there - own
    missing = wanted - own
    filling = np.zeros((len(wanted), len(wanted)), dtype=np.int64)
    if fill:
        for short in range(len(wanted) - 1, -1, -1):
            for higher in range(short + 1, len(wanted)):
                taken = min(missing[short], left[higher])
                filling[short, higher] = taken
                missing[short] -= taken
                left[higher] -= taken
    return Allocation(wanted, own, filling, missing)


def class_needs(
    class_id: str, allocation: Allocation, there: Counts, edges: Sequence[float] = PAPER_EDGES
) -> list[Need]:
    """An allocation as needs, one a stratum.

    >>> allocation = allocate(np.array([3, 1]), np.array([1, 2]))
    >>> [need.missing for need in class_needs("7", allocation, np.array([1, 2]), [0.5])]
    [2, 0]
    """
    return [
        Need(
            class_id,
            label,
            int(allocation.wanted[i]),
            int(there[i]),
            int(allocation.filling[i].sum()),
            int(allocation.missing[i]),
        )
        for i, label in enumerate(stratum_labels(edges))
    ]


def too_few_originals(class_id: str, annotated: int, wanted: int) -> Need:
    """The need for more annotated original images, without which no histogram is trusted.

    >>> too_few_originals("7", 12, 20).missing
    8
    """
    return Need(class_id, ORIGINAL_IMAGES, wanted, annotated, 0, wanted - annotated)
