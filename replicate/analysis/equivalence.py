"""Saying "it replicated" (equivalence), and gaps of items that are matched one to one."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from replicate.analysis.intervals import Interval, mcnemar_midp, wilson
from replicate.base.errors import UsageError


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests of |gap| < margin.

    Attributes:
        margin: The largest gap that would not matter, a fraction.
        p: The larger of both tests' p-values.
        equivalent: Whether p is at most 1 − level: the gap is shown to be within the margin.
    """

    margin: float
    p: float
    equivalent: bool


def tost(gap: float, se: float, margin: float, level: float = 0.95) -> Equivalence:
    """Two one-sided tests (Schuirmann 1987): is the gap within ±margin?

    A gap that is not significant does not show that nothing changed; this does.

    Args:
        gap: The estimated gap.
        se: Its standard error, at least 0.
        margin: The margin, declared beforehand, above 0.
        level: The confidence level, in (0, 1).

    Raises:
        UsageError: The margin is not positive.

    >>> tost(0.002, 0.004, 0.02).equivalent, tost(0.002, 0.004, 0.005).equivalent
    (True, False)
    """
    if not margin > 0:
        raise UsageError("The margin of equivalence must be above 0.")
    if se <= 0:
        p = 0.0 if abs(gap) < margin else 1.0
    else:
        p = float(special.ndtr((abs(gap) - margin) / se))
    return Equivalence(margin, p, p <= 1 - level)


@dataclass(frozen=True)
class PairedGap:
    """The gap of one model on matched items.

    Attributes:
        n: The number of matched items.
        gap: Accuracy on the original's items minus accuracy on their counterparts.
        interval: Newcombe's interval for paired proportions.
        p: McNemar's mid-p value of no gap.
    """

    n: int
    gap: float
    interval: Interval
    p: float


def paired_gap(both: int, first: int, second: int, neither: int, level: float = 0.95) -> PairedGap:
    """The gap between two paired proportions, by Newcombe (1998b), method 10.

    Two Wilson intervals joined as squares, less their correlation φ, which is corrected for
    continuity where it is positive.

    Args:
        both: Items right on both sides.
        first: Right on the original only.
        second: Right on the counterpart only.
        neither: Wrong on both.
        level: The confidence level, in (0, 1).

    Raises:
        UsageError: A count is negative or there is no item.

    >>> found = paired_gap(36, 12, 2, 0)  # an example of Newcombe's paper
    >>> round(found.gap, 3), round(found.interval.low, 4), round(found.interval.high, 4)
    (0.2, 0.0569, 0.3404)
    """
    n = both + first + second + neither
    if min(both, first, second, neither) < 0 or n < 1:
        raise UsageError("A paired gap needs counts of at least one item, none negative.")
    p1, p2 = (both + first) / n, (both + second) / n
    one, two = wilson(both + first, n, level), wilson(both + second, n, level)
    product = (both + first) * (second + neither) * (both + second) * (first + neither)
    phi = 0.0
    if product > 0:
        determinant = float(both * neither - first * second)
        if determinant > 0:
            determinant = max(determinant - n / 2, 0.0)
        phi = determinant / float(np.sqrt(float(product)))
    d1, u1, d2, u2 = p1 - one.low, one.high - p1, p2 - two.low, two.high - p2
    low = p1 - p2 - float(np.sqrt(max(d1**2 - 2 * phi * d1 * u2 + u2**2, 0.0)))
    high = p1 - p2 + float(np.sqrt(max(d2**2 - 2 * phi * d2 * u1 + u1**2, 0.0)))
    p = float(mcnemar_midp(first, second))
    return PairedGap(n, p1 - p2, Interval(low, high, level), p)


def false_discovery(p_values: list[float]) -> list[float]:
    """p-values adjusted for the share of false discoveries (Benjamini and Hochberg 1995).

    >>> [round(p, 3) for p in false_discovery([0.01, 0.04, 0.03])]
    [0.03, 0.04, 0.04]
    """
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")[::-1]
    stepped = np.minimum.accumulate(p[order] * p.size / np.arange(p.size, 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return [float(x) for x in adjusted]
