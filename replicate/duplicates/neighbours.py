"""All pairs of images whose features point the same way: exact, by blocked matrix products.

Hashes do not see heavy crops and rotations; the features of a network often do. Here they are
rows of numbers that are handed in. Time: n x m x d multiplications. Memory beside the features
(which may be mapped from a file): two blocks of 4,096 rows and their product, 64 MiB and 32 KiB a
feature, and 24 bytes a pair.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from replicate.base.errors import GuardError, UsageError
from replicate.duplicates.search import MOST_PAIRS

Index = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Block = npt.NDArray[np.float32]

_ROWS = 4096  # of a block
_PAIRS = 1 << 22  # numbers of features worked on again at a time
_UNIT = 2.0**-24  # half the distance of numbers of single precision near 1


@dataclass(frozen=True)
class Embedded:
    """The features of one side's images.

    Attributes:
        values: Rows of features, shape (r, d).
        row: Each image's row, shape (n,); -1 where it has none.
    """

    values: npt.NDArray[Any]
    row: Index

    @property
    def width(self) -> int:
        """How many features a row has."""
        return int(self.values.shape[1])

    def some(self, places: Index) -> Floats:
        """Rows of length 1, of the images at these places, shape (p, d).

        What has no row, a row that is not of finite numbers, or one of zeros, is not a number.
        """
        rows = self.row[places]
        values = np.asarray(self.values[np.maximum(rows, 0)], np.float64)
        length = np.sqrt(np.square(values).sum(axis=1))
        bad = (rows < 0) | ~np.isfinite(length) | (length == 0.0)
        values[bad] = np.nan
        return values / np.where(bad, 1.0, length)[:, None]


@dataclass(frozen=True)
class Similar:
    """Pairs of images whose features are alike, sorted by reference, then candidate.

    Attributes:
        reference: Index of the reference image, shape (p,).
        candidate: Index of the candidate, shape (p,).
        cosine: The cosine of the angle between their features, in [-1, 1], shape (p,).
    """

    reference: Index
    candidate: Index
    cosine: Floats

    def __len__(self) -> int:
        return len(self.cosine)


def similar(
    reference: Embedded, candidates: Embedded | None, least: float, most: int = MOST_PAIRS
) -> Similar:
    """Every pair with a cosine of at least so much.

    Args:
        reference: One side.
        candidates: The other; None for pairs within the first, the earlier image first.
        least: The cosine, in [-1, 1].
        most: How many pairs there may be.

    Raises:
        UsageError: The two sides' features are of different widths.
        GuardError: There are more pairs.
    """
    other = candidates or reference
    _alike(reference, other)
    # What single precision rounds off is bounded, so that nothing is missed; then it is looked at
    # again in double precision.
    margin = (reference.width + 4) * 2 * _UNIT
    parts = [np.zeros((0, 2), np.int64)]
    cosines = [np.zeros(0)]
    total = 0
    for places, block in _blocks(reference, 0):
        first = 0 if candidates is not None else int(places[0])
        for others, block_two in _blocks(other, first):
            near = np.argwhere(block @ block_two.T >= least - margin)
            pairs = np.stack([places[near[:, 0]], others[near[:, 1]]], axis=1)
            if candidates is None:
                pairs = pairs[pairs[:, 0] < pairs[:, 1]]
            exact = cosines_of(reference, other, pairs[:, 0], pairs[:, 1])
            parts.append(pairs[exact >= least])
            cosines.append(exact[exact >= least])
            total += len(parts[-1])
            if total > most:
                raise GuardError(
                    f"More than {most:,} pairs of images have features with a cosine of {least:g} "
                    "or more.",
                    "Ask for more: --features-unsure 0.95",
                )
    every, values = np.concatenate(parts), np.concatenate(cosines)
    order = np.lexsort((every[:, 1], every[:, 0]))
    return Similar(every[order, 0], every[order, 1], values[order])


def _alike(first: Embedded, second: Embedded) -> None:
    if first.width != second.width:
        raise UsageError(
            f"Features of {first.width} and of {second.width} numbers cannot be compared.",
            "Make both with one model: replicate features --models NAME --data FOLDER",
        )


def _blocks(side: Embedded, first: int) -> Iterator[tuple[Index, Block]]:
    """Images that have features, from a place on, and their rows of length 1."""
    there = np.flatnonzero(side.row >= 0)
    there = there[there >= first]
    for start in range(0, len(there), _ROWS):
        places = there[start : start + _ROWS]
        values = side.some(places)
        good = np.isfinite(values[:, 0])
        if good.any():
            yield places[good], values[good].astype(np.float32)


def cosines_of(first: Embedded, second: Embedded, one: Index, two: Index) -> Floats:
    """The cosines of pairs, shape (p,); not a number where an image has no features.

    Args:
        first: One side.
        second: The other.
        one: Places of images in the first, shape (p,).
        two: Places in the second, shape (p,).
    """
    _alike(first, second)
    found = np.zeros(len(one))
    step = max(1, _PAIRS // first.width)
    for start in range(0, len(one), step):
        some = slice(start, start + step)
        found[some] = (first.some(one[some]) * second.some(two[some])).sum(axis=1)
    return np.clip(found, -1.0, 1.0)


def nearest_other(side: Embedded, probed: Index) -> tuple[Index, Floats]:
    """For some images the most similar other one of the same side.

    Args:
        side: The side.
        probed: Places of images, shape (p,).

    Returns:
        The other's place, and the cosine, each of shape (p,); -1 and not a number where there is
        none.
    """
    own = side.some(probed)
    best, cosine = np.full(len(probed), -1, np.int64), np.full(len(probed), -np.inf)
    for start in range(0, len(probed), _ROWS):
        some = slice(start, start + _ROWS)
        rows = np.nan_to_num(own[some]).astype(np.float32)
        for places, block in _blocks(side, 0):
            products = (rows @ block.T).astype(np.float64)
            products[places[None, :] == probed[some][:, None]] = -np.inf
            at = products.argmax(axis=1)
            value = products[np.arange(len(rows)), at]
            nearer = value > cosine[some]
            best[some] = np.where(nearer, places[at], best[some])
            cosine[some] = np.where(nearer, value, cosine[some])
    none = ~np.isfinite(own[:, 0]) | ~np.isfinite(cosine)
    return np.where(none, -1, best), np.where(none, np.nan, cosine)
