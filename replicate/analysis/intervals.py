"""Intervals of proportions and of the gap between two proportions, from integer counts."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from replicate.base.errors import UsageError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes:
        low: The lower end.
        high: The upper end.
        level: The confidence level, in (0, 1).
    """

    low: float
    high: float
    level: float = 0.95

    def contains(self, value: float) -> bool:
        """Whether a value lies within the interval, ends included.

        >>> Interval(-0.1, 0.2).contains(0.0)
        True
        """
        return self.low <= value <= self.high


def _check(k: npt.ArrayLike, n: npt.ArrayLike, level: float) -> tuple[Floats, Floats]:
    successes, trials = np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if not 0 < level < 1:
        raise UsageError(f"A confidence level lies between 0 and 1, not at {level}.")
    if np.any(trials <= 0):
        raise UsageError("A proportion of nothing has no interval: n must be at least 1.")
    if np.any(successes < 0) or np.any(successes > trials):
        raise UsageError("A count must lie between 0 and the number of trials.")
    return successes, trials


def clopper_pearson(k: int, n: int, level: float = 0.95) -> Interval:
    """The exact (never too short) interval of a proportion, by Clopper and Pearson (1934).

    Args:
        k: How many of the trials succeeded, 0 to n.
        n: The number of trials, at least 1.
        level: The confidence level, in (0, 1).

    Raises:
        UsageError: n is not positive, k is not within 0 to n, or the level not in (0, 1).

    >>> interval = clopper_pearson(93, 100)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.8611, 0.9714)
    """
    _check(k, n, level)
    tail = (1 - level) / 2
    low = 0.0 if k == 0 else float(special.betaincinv(k, n - k + 1, tail))
    high = 1.0 if k == n else float(special.betaincinv(k + 1, n - k, 1 - tail))
    return Interval(low, high, level)


def wilson_bounds(k: npt.ArrayLike, n: npt.ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """The score intervals of many proportions at once, by Wilson (1927).

    Args:
        k: Counts of successes, any shape.
        n: Numbers of trials, of a shape that fits k's; each at least 1.
        level: The confidence level, in (0, 1).

    Returns:
        The lower and the upper ends, in [0, 1].

    Raises:
        UsageError: As for ``clopper_pearson``.

    >>> low, high = wilson_bounds([0, 5], [10, 10])
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.0, 0.2366], [0.2775, 0.7634])
    """
    successes, trials = _check(k, n, level)
    z2 = float(special.ndtri((1 + level) / 2)) ** 2
    share = successes / trials
    centre = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = np.sqrt(z2 * (share * (1 - share) / trials + z2 / (4 * trials**2))) / (1 + z2 / trials)
    # At k = 0 and k = n the ends are exactly 0 and 1; rounding must not move them.
    low = np.where(successes == 0, 0.0, np.maximum(centre - half, 0.0))
    high = np.where(successes == trials, 1.0, np.minimum(centre + half, 1.0))
    return low, high


def wilson(k: int, n: int, level: float = 0.95) -> Interval:
    """The score interval of a proportion, by Wilson (1927); see ``wilson_bounds``.

    >>> interval = wilson(5, 10)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.2366, 0.7634)
    """
    low, high = wilson_bounds(k, n, level)
    return Interval(float(low), float(high), level)


def newcombe_gap(k1: int, n1: int, k2: int, n2: int, level: float = 0.95) -> Interval:
    """The interval of k1/n1 − k2/n2 of two independent sets: original minus new.

    Newcombe (1998), method 10: two Wilson intervals, joined as squares.

    Args:
        k1: Right answers on the original.
        n1: Images of the original, at least 1.
        k2: Right answers on the new set.
        n2: Images of the new set, at least 1.
        level: The confidence level, in (0, 1).

    Raises:
        UsageError: As for ``clopper_pearson``.

    >>> interval = newcombe_gap(56, 70, 48, 80)  # the example of Newcombe's paper
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.0524, 0.3339)
    """
    first, second = wilson(k1, n1, level), wilson(k2, n2, level)
    p1, p2 = k1 / n1, k2 / n2
    down = float(np.hypot(p1 - first.low, second.high - p2))
    up = float(np.hypot(first.high - p1, p2 - second.low))
    return Interval(p1 - p2 - down, p1 - p2 + up, level)


def mcnemar_midp(b: npt.ArrayLike, c: npt.ArrayLike) -> Floats:
    """The two-sided mid-p value of McNemar's test on matched items.

    Fagerland, Lydersen and Laake (2013): of the b + c items on which two models differ, the
    smaller count is compared with a fair coin, and its own probability counts by half.

    Args:
        b: On how many items only the first model is right; any shape.
        c: On how many items only the second model is right; of the same shape.

    Returns:
        p-values in [0, 1], of that shape; 1 where the models never differ.

    Raises:
        UsageError: A count is negative.

    >>> float(mcnemar_midp(10, 2).round(4))
    0.0225
    >>> float(mcnemar_midp(0, 0))
    1.0
    """
    first, second = np.asarray(b, dtype=np.float64), np.asarray(c, dtype=np.float64)
    if np.any(first < 0) or np.any(second < 0):
        raise UsageError("A count of items cannot be negative.")
    total, smaller = first + second, np.minimum(first, second)
    below = special.bdtr(smaller, total.astype(np.int64), 0.5)
    log_choose = (
        special.gammaln(total + 1)
        - special.gammaln(smaller + 1)
        - special.gammaln(total - smaller + 1)
    )
    point = np.exp(log_choose - total * np.log(2.0))
    two_sided = np.where(first == second, 1 - point / 2, 2 * below - point)
    return np.asarray(np.where(total == 0, 1.0, np.clip(two_sided, 0.0, 1.0)), dtype=np.float64)
