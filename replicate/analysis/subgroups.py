"""Where a drop lies: gaps of single classes, with false discoveries controlled."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from replicate.analysis.equivalence import false_discovery
from replicate.analysis.intervals import Interval
from replicate.analysis.scores import Scores


@dataclass(frozen=True)
class ClassGap:
    """The gap of one class, averaged over the models.

    Attributes:
        label: The class.
        n_original: Its items on the original.
        n_new: Its items on the new set.
        gap: Mean score on the original − on the new set.
        interval: Welch's t interval over items; None with fewer than two items on a side.
        excess: The gap minus that of all classes' items together.
        p: p-value of no excess; 1 where it cannot be told.
        p_adjusted: The same, adjusted over all classes (Benjamini and Hochberg).
    """

    label: Any
    n_original: int
    n_new: int
    gap: float
    interval: Interval | None
    excess: float
    p: float
    p_adjusted: float


def class_gaps(original: Scores, new: Scores, level: float = 0.95) -> tuple[ClassGap, ...]:
    """The gap of every class that both sets have, the largest first.

    An item's score is averaged over the models first, so that items are the units and models'
    common errors do not count twice; then Welch's t compares the two sets' items of a class. The
    test asks whether a class drops by another amount than the sets do as a whole.

    Args:
        original: Scores on the original, with classes.
        new: Scores on the new set, of the same models.
        level: The confidence level, in (0, 1).

    Returns:
        Nothing where a set has no items, no classes or no models.

    >>> from replicate.analysis.scores import from_items
    >>> right = (np.arange(80)[:, None] % 8 > 0)
    >>> old = from_items("old", ("a",), right, np.arange(80) % 2)
    >>> hard = right & (np.arange(80)[:, None] % 4 != 1)
    >>> found = class_gaps(old, from_items("new", ("a",), hard, np.arange(80) % 2))
    >>> found[0].label, found[0].gap, found[1].gap
    (1, 0.5, 0.0)
    """
    sides = (original, new)
    if any(s.items is None or s.classes is None or not s.models for s in sides):
        return ()
    means = [np.asarray(s.items).mean(axis=1, dtype=np.float64) for s in sides]
    labels = [np.asarray(s.classes) for s in sides]
    overall = float(means[0].mean() - means[1].mean())
    found = []
    for label in np.intersect1d(labels[0], labels[1]):
        a, b = (m[k == label] for m, k in zip(means, labels, strict=True))
        gap = float(a.mean() - b.mean())
        interval, p = _welch(a, b, gap, overall, level)
        plain = label.item() if isinstance(label, np.generic) else label
        found.append((plain, a.size, b.size, gap, interval, gap - overall, p))
    adjusted = false_discovery([row[-1] for row in found]) if found else []
    rows = [ClassGap(*row, q) for row, q in zip(found, adjusted, strict=True)]
    return tuple(sorted(rows, key=lambda row: (-row.gap, str(row.label))))


def _welch(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], gap: float, null: float, level: float
) -> tuple[Interval | None, float]:
    if min(a.size, b.size) < 2:
        return None, 1.0
    parts = [float(x.var(ddof=1)) / x.size for x in (a, b)]
    error = float(np.sqrt(sum(parts)))
    if error <= 0:
        return Interval(gap, gap, level), 1.0
    freedom = sum(parts) ** 2 / sum(
        part**2 / (x.size - 1) for part, x in zip(parts, (a, b), strict=True)
    )
    half = float(special.stdtrit(freedom, (1 + level) / 2)) * error
    p = 2 * float(special.stdtr(freedom, -abs(gap - null) / error))
    return Interval(gap - half, gap + half, level), p


@dataclass(frozen=True)
class Trend:
    """Whether newer models fall below the line: the mark of adaptivity.

    Attributes:
        n: Models with a date.
        slope: Change of effective robustness a year, a fraction.
        interval: Student's t interval of the slope; None with fewer than four models.
        p: p-value of no change; NaN with fewer than four.
    """

    n: int
    slope: float
    interval: Interval | None
    p: float


def residual_trend(years: npt.ArrayLike, rho: npt.ArrayLike, level: float = 0.95) -> Trend | None:
    """The least-squares slope of effective robustness on the year of release.

    Args:
        years: When each model was released, in years.
        rho: Its effective robustness, a fraction.
        level: The confidence level, in (0, 1).

    Returns:
        None with fewer than two dates that differ.

    >>> found = residual_trend([2010, 2011, 2012, 2013], [0.00, 0.01, 0.02, 0.03])
    >>> found.n, round(found.slope, 6)
    (4, 0.01)
    """
    x, y = np.asarray(years, np.float64), np.asarray(rho, np.float64)
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    dx = x - x.mean() if x.size else x
    spread = float(dx @ dx)
    if x.size < 2 or spread <= 0:
        return None
    slope = float(dx @ y) / spread
    if x.size < 4:
        return Trend(int(x.size), slope, None, float("nan"))
    residual = y - y.mean() - slope * dx
    freedom = x.size - 2
    error = float(np.sqrt(residual @ residual / freedom / spread))
    half = float(special.stdtrit(freedom, (1 + level) / 2)) * error
    p = 2 * float(special.stdtr(freedom, -abs(slope) / error)) if error > 0 else 0.0
    return Trend(int(x.size), slope, Interval(slope - half, slope + half, level), p)
