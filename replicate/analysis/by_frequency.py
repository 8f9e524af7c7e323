"""Accuracy by selection frequency: how models do on images that people agree about."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import special

from replicate.analysis.intervals import Interval
from replicate.base.errors import UsageError

Floats = npt.NDArray[np.float64]
EDGES = (0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Bin:
    """Images whose observed frequency lies in one bin.

    Attributes:
        low: Its lower end, within the bin.
        high: Its upper end, which belongs to the next bin (the last holds 1).
        n: Images.
        frequency: Their mean frequency; NaN without images.
        accuracy: Their mean score over images and models; NaN without images.
        interval: Student's t interval over images; None with fewer than two.
    """

    low: float
    high: float
    n: int
    frequency: float
    accuracy: float
    interval: Interval | None


def accuracy_by_frequency(
    selected: npt.ArrayLike,
    shown: npt.ArrayLike,
    score: npt.ArrayLike,
    *,
    edges: Sequence[float] = EDGES,
    level: float = 0.95,
) -> tuple[Bin, ...]:
    """Mean score of the images of each bin of selection frequency.

    Args:
        selected: People who selected each image, shape (n,).
        shown: People who saw it, shape (n,); images that nobody saw are left out.
        score: Each image's score, averaged over models, in [0, 1], shape (n,).
        edges: Inner edges of the bins, rising, in (0, 1).
        level: The confidence level, in (0, 1).

    Raises:
        UsageError: Shapes or edges do not fit.

    >>> bins = accuracy_by_frequency([1, 9, 10], [10, 10, 10], [0.2, 0.8, 1.0])
    >>> bins[0].n, bins[-1].n, bins[-1].accuracy
    (1, 2, 0.9)
    """
    k, n, y = (np.asarray(values, np.float64) for values in (selected, shown, score))
    if not k.shape == n.shape == y.shape or k.ndim != 1:
        raise UsageError("Frequencies need selected, shown and a score for each image.")
    ends = [0.0, *edges, 1.0]
    if any(a >= b for a, b in pairwise(ends)):
        raise UsageError("The edges of bins rise from above 0 to below 1.")
    seen = n > 0
    frequency, y = k[seen] / n[seen], y[seen]
    member = np.searchsorted(np.asarray(edges), frequency, side="right")
    return tuple(
        _bin(low, high, frequency[member == i], y[member == i], level)
        for i, (low, high) in enumerate(pairwise(ends))
    )


def _bin(low: float, high: float, frequency: Floats, y: Floats, level: float) -> Bin:
    if y.size == 0:
        return Bin(low, high, 0, float("nan"), float("nan"), None)
    mean, interval = float(y.mean()), None
    if y.size > 1:
        error = float(y.std(ddof=1)) / np.sqrt(y.size)
        half = float(special.stdtrit(y.size - 1, (1 + level) / 2)) * error
        interval = Interval(max(mean - half, 0.0), min(mean + half, 1.0), level)
    return Bin(low, high, int(y.size), float(frequency.mean()), mean, interval)
