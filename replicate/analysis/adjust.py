"""The accuracy gap at equal selection frequencies.

A new test set may be harder only because people agree less about its images. The adjusted gap is
what is left at equal *true* selection frequencies s:

    gap = E_original[accuracy] − E_original[g(s)],   g(s) = E_new[accuracy | s]

Frequencies of n votes are noisy, so that comparing images of equal *observed* frequency leaves a
gap where there is none (Engstrom et al. 2020): images of a pool with more of the hard ones are
harder than their frequency says. The estimators differ in how they deal with that:

===============  ==================================================================================
``naive``        images with the same share of votes are compared as they are; biased at every n
``jackknife``    naive, extrapolated from n − 1 and n votes to endless ones (Engstrom et al. 2020)
``mixture``      E[accuracy | votes] = E[g(s) | votes] with a fitted mixture of binomials as the
                 distribution of s, g a polynomial (Engstrom et al. fit a beta mixture)
``moments``      g a polynomial, by normal equations of unbiased moments of s
``heldout``      g a polynomial, fitted over strata of n − h votes to the unbiased moments of the h
                 votes held out, averaged over all ways to hold out: votes calibrate votes
===============  ==================================================================================

The votes of the new set must have had no part in choosing its images: those of a whole pool, or
fresh ones. All estimators need nothing but counts, and are computed for all bootstrap resamples
at once.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from replicate.analysis.adjust_estimators import ESTIMATORS, Sums, degree_for, recommended_for
from replicate.analysis.intervals import Interval
from replicate.analysis.vote_moments import vote_cells
from replicate.base.errors import UsageError
from replicate.base.randomness import stream

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_CHUNK = 4_000_000  # weights in memory at a time


@dataclass(frozen=True)
class Judged:
    """Images with votes and with how models did on them.

    Attributes:
        selected: People who selected each image, shape (n,).
        shown: People who saw it, shape (n,), at least 1.
        correct: The share of models that are right on it, or one model's 0 or 1, shape (n,).
        stratum: What the bootstrap keeps the numbers of (classes), shape (n,); None: nothing.
    """

    selected: Counts
    shown: Counts
    correct: Floats
    stratum: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if not len(self.selected) == len(self.shown) == len(self.correct) > 1:
            raise UsageError("A set needs at least two images, each with votes and correctness.")
        if np.any(self.shown < 1) or np.any(self.selected < 0):
            raise UsageError("Every image needs at least one vote, and no negative number of them.")
        if np.any(self.selected > self.shown):
            raise UsageError("An image cannot be selected more often than it was shown.")
        if not np.all((self.correct >= 0) & (self.correct <= 1)):
            raise UsageError("Correctness lies between 0 and 1.")


@dataclass(frozen=True)
class Gap:
    """A gap, original − new, and its interval over images and their votes."""

    gap: float
    interval: Interval


@dataclass(frozen=True)
class AdjustedGaps:
    """What is left of a gap at equal selection frequencies.

    Attributes:
        raw: The gap as it is.
        estimators: The adjusted gap by each estimator that these votes allow.
        recommended: The one to report.
        degree: The degree of g.
        held: How many votes ``heldout`` holds out.
    """

    raw: Gap
    estimators: dict[str, Gap]
    recommended: str
    degree: int
    held: int


def adjusted_gaps(
    original: Judged,
    new: Judged,
    seed: int,
    *names: str | int,
    resamples: int = 1000,
    level: float = 0.95,
) -> AdjustedGaps:
    """The gap between two sets at equal true selection frequencies.

    Intervals are percentiles of a bootstrap over images, each with its votes, original and new
    apart; where strata are given their sizes are kept. They hold if the votes of different
    images are independent.

    Args:
        original: The original's images; a sample that stands for the original.
        new: The new set's images.
        seed: The seed of the bootstrap.
        *names: What this is for.
        resamples: Bootstrap resamples.
        level: The confidence level, in (0, 1).

    Raises:
        UsageError: Images have fewer than two votes, so that nothing can be adjusted.

    >>> rng = np.random.default_rng(0)
    >>> def draw(a, b):  # accuracy is 0.2 + 0.7 s on both: the true adjusted gap is zero
    ...     s = rng.beta(a, b, 4000)
    ...     right = (rng.random(4000) < 0.2 + 0.7 * s).astype(float)
    ...     return Judged(rng.binomial(10, s), np.full(4000, 10), right)
    >>> found = adjusted_gaps(draw(4, 1), draw(2, 1), 1, resamples=200)
    >>> bool(found.raw.gap > 0.05), found.estimators[found.recommended].interval.contains(0)
    (True, True)
    """
    fewest = min(int(original.shown.min()), int(new.shown.min()))
    if fewest < 2:
        raise UsageError(
            "An image with one vote says nothing about its true selection frequency.",
            "Leave out images with fewer than two votes, or collect more.",
        )
    held, degree = degree_for(fewest)
    old_images, new_images = _Cells(original), _Cells(new)
    rng = stream(seed, "adjust", *names)
    raw: list[Floats] = []
    found: dict[str, list[Floats]] = {name: [] for name in ESTIMATORS}
    chunk = max(1, _CHUNK // (len(original.shown) + len(new.shown)))
    sizes = [1] + [min(chunk, resamples - done) for done in range(0, resamples, chunk)]
    for position, size in enumerate(sizes):  # the first is the sets as they are
        sums = Sums(
            *old_images.sums(None if position == 0 else rng, size),
            *new_images.sums(None if position == 0 else rng, size),
        )
        raw.append(sums.original_mean - sums.new_mean)
        for name, estimator in ESTIMATORS.items():
            found[name].append(sums.original_mean - estimator(sums, held, degree))
    return AdjustedGaps(
        raw=_gap(raw, level),
        estimators={name: _gap(values, level) for name, values in found.items()},
        recommended=recommended_for(fewest),
        degree=degree,
        held=held,
    )


class _Cells:
    """A set's images by cell, and sums over cells under bootstrap weights."""

    def __init__(self, images: Judged) -> None:
        self.cells, cell = vote_cells(images.selected, images.shown)
        self._order = np.argsort(cell, kind="stable")
        self._starts = np.searchsorted(cell[self._order], np.arange(len(self.cells)))
        self._correct = images.correct[self._order]
        self._strata = None if images.stratum is None else images.stratum[self._order]

    def sums(
        self, rng: np.random.Generator | None, size: int
    ) -> tuple[Counts, Counts, Floats, Floats]:
        """Misses and votes of each cell; images and correctness in each, shape (size, k)."""
        weights = np.ones((1, len(self._correct))) if rng is None else self._resampled(rng, size)
        images = np.add.reduceat(weights, self._starts, axis=1)
        right = np.add.reduceat(weights * self._correct, self._starts, axis=1)
        return self.cells[:, 1], self.cells[:, 0], images, right

    def _resampled(self, rng: np.random.Generator, size: int) -> Floats:
        n = len(self._correct)
        if self._strata is None:
            return rng.multinomial(n, np.full(n, 1 / n), size=size).astype(np.float64)
        weights = np.empty((size, n))
        for stratum in np.unique(self._strata):
            inside = np.flatnonzero(self._strata == stratum)
            share = np.full(len(inside), 1 / len(inside))
            weights[:, inside] = rng.multinomial(len(inside), share, size=size)
        return weights


def _gap(values: list[Floats], level: float) -> Gap:
    resampled = np.concatenate(values[1:])
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return Gap(float(values[0][0]), Interval(float(low), float(high), level))
