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

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from replicate.analysis.adjust_cells import Cells, portions, thinned
from replicate.analysis.adjust_estimators import (
    ESTIMATORS,
    Estimator,
    Sums,
    degree_for,
    recommended_for,
)
from replicate.analysis.adjust_workers import SingleVotes, WorkerSpread, worker_spreads
from replicate.analysis.intervals import Interval
from replicate.base.errors import UsageError
from replicate.base.randomness import stream

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_ENOUGH = 5  # votes below which no estimator is without bias
STEPS = (2, 3, 5, 7, 10, 14, 20, 28, 40, 56, 80)  # votes at which the gap is looked at


@dataclass(frozen=True)
class Judged:
    """Images with votes and with how models did on them.

    Attributes:
        selected: People who selected each image, shape (n,).
        shown: People who saw it, shape (n,), at least 1.
        correct: The share of models that are right on it, or one model's 0 or 1, shape (n,).
        stratum: What the bootstrap keeps the numbers of (classes), shape (n,); None: nothing.
        votes: The single votes behind the counts, if it is known who gave them.
    """

    selected: Counts
    shown: Counts
    correct: Floats
    stratum: npt.NDArray[np.int64] | None = None
    votes: SingleVotes | None = None

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
    """A gap, original − new.

    Attributes:
        gap: A fraction.
        interval: Over images and their votes; and over workers, where it is known who voted.
        worker_sd: The standard deviation that workers add to it; 0 if it is not known who voted.
    """

    gap: float
    interval: Interval
    worker_sd: float = 0.0


@dataclass(frozen=True)
class AdjustedGaps:
    """What is left of a gap at equal selection frequencies.

    Attributes:
        raw: The gap as it is.
        estimators: The adjusted gap by each estimator that these votes allow.
        recommended: The one to report.
        degree: The degree of g.
        held: How many votes ``heldout`` holds out.
        workers: How many workers the intervals are over; None where it is not known who voted.
    """

    raw: Gap
    estimators: dict[str, Gap]
    recommended: str
    degree: int
    held: int
    workers: int | None = None


@dataclass(frozen=True)
class AtVotes:
    """What the adjusted gap would be with so many votes an image.

    Attributes:
        votes: Votes an image.
        estimators: By name: ``naive``, ``jackknife`` and the recommended one.
        recommended: The one that is recommended for so many votes.
    """

    votes: int
    estimators: dict[str, Gap]
    recommended: str


def adjusted_gaps(
    original: Judged,
    new: Judged,
    seed: int,
    *names: str | int,
    resamples: int = 1000,
    level: float = 0.95,
    estimators: Mapping[str, Estimator] = ESTIMATORS,
) -> AdjustedGaps:
    """The gap between two sets at equal true selection frequencies.

    Intervals are percentiles of a bootstrap over images, each with its votes, original and new
    apart; where strata are given their sizes are kept. Where single votes are given, they are
    widened by what workers add (`replicate.analysis.adjust_workers`); without, they hold if the
    votes of different images are independent. With fewer than five votes an image every estimator
    has a bias; the recommended one's interval then holds that of ``heldout``, too.

    Args:
        original: The original's images; a sample that stands for the original.
        new: The new set's images.
        seed: The seed of the bootstrap.
        *names: What this is for.
        resamples: Bootstrap resamples.
        level: The confidence level, in (0, 1).
        estimators: Which estimators to work out, by name; all of them if nothing is said.

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
    fewest = fewest_votes(original, new)
    held, degree = degree_for(fewest)
    old_images, new_images = Cells(original), Cells(new)
    rng = stream(seed, "adjust", *names)
    raw: list[Floats] = []
    found: dict[str, list[Floats]] = {name: [] for name in estimators}
    n_images = len(old_images) + len(new_images)
    sizes = [1, *portions(resamples, n_images)]
    for position, size in enumerate(sizes):  # the first is the sets as they are
        sums = Sums(
            *old_images.sums(None if position == 0 else rng, size),
            *new_images.sums(None if position == 0 else rng, size),
        )
        raw.append(sums.original_mean - sums.new_mean)
        for name, estimator in estimators.items():
            found[name].append(sums.original_mean - estimator(sums, held, degree))
    spreads: dict[str, WorkerSpread] = {}
    if original.votes is not None or new.votes is not None:
        spreads = worker_spreads(original, new, estimators, held, degree)
    gaps = {
        name: _gap(values, level, n_images, spreads.get(name)) for name, values in found.items()
    }
    best = recommended_for(fewest)
    if fewest < _ENOUGH and best in gaps and "heldout" in gaps:
        gaps[best] = _envelope(gaps[best], gaps["heldout"])
    return AdjustedGaps(
        raw=_gap(raw, level, n_images),
        estimators=gaps,
        recommended=best,
        degree=degree,
        held=held,
        workers=max((spread.workers for spread in spreads.values()), default=None),
    )


def _envelope(gap: Gap, other: Gap) -> Gap:
    """A gap with an interval that holds that of another estimator, whose bias is another."""
    one, two = gap.interval, other.interval
    ends = Interval(min(one.low, two.low), max(one.high, two.high), one.level)
    return Gap(gap.gap, ends, gap.worker_sd)


def gaps_by_votes(
    original: Judged,
    new: Judged,
    seed: int,
    *names: str | int,
    resamples: int = 200,
    level: float = 0.95,
) -> tuple[AtVotes, ...]:
    """What the gap would be with fewer votes an image: how far votes' noise still moves it.

    Votes are left out of every image, averaged over all ways to do so; against 1 / votes, an
    estimator without bias is a level line. Intervals are those over images alone.

    Args:
        original: As for `adjusted_gaps`.
        new: As for `adjusted_gaps`.
        seed: The seed of the bootstrap.
        *names: What this is for.
        resamples: Bootstrap resamples.
        level: The confidence level, in (0, 1).

    Returns:
        For each number of votes, fewest first, the naive gap, the jackknife and the one that is
        recommended for so many votes.

    Raises:
        UsageError: Images have fewer than two votes.
    """
    fewest = fewest_votes(original, new)
    old_images, new_images = Cells(original), Cells(new)
    steps = [n for n in STEPS if n < fewest] + [fewest]
    rng = stream(seed, "adjust by votes", *names)
    n_images = len(old_images) + len(new_images)
    found: dict[int, dict[str, list[Floats]]] = {n: {} for n in steps}
    for position, size in enumerate([1, *portions(resamples, n_images)]):
        parts = [side.sums(rng if position else None, size) for side in (old_images, new_images)]
        for n in steps:
            sums = Sums(*thinned(parts[0], n), *thinned(parts[1], n))
            for name in dict.fromkeys(("naive", "jackknife", recommended_for(n))):
                gap = sums.original_mean - ESTIMATORS[name](sums, *degree_for(n))
                found[n].setdefault(name, []).append(gap)
    return tuple(
        AtVotes(
            n,
            {name: _gap(values, level, n_images) for name, values in at.items()},
            recommended_for(n),
        )
        for n, at in found.items()
    )


def fewest_votes(original: Judged, new: Judged) -> int:
    """The fewest votes that an image of either set has.

    Raises:
        UsageError: That is fewer than two.
    """
    fewest = min(int(original.shown.min()), int(new.shown.min()))
    if fewest < 2:
        raise UsageError(
            "An image with one vote says nothing about its true selection frequency.",
            "Leave out images with fewer than two votes, or collect more.",
        )
    return fewest


def _gap(
    values: list[Floats], level: float, images: int, workers: WorkerSpread | None = None
) -> Gap:
    gap, resampled = float(values[0][0]), np.concatenate(values[1:])
    ends = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    if workers is None or workers.variance == 0:
        return Gap(gap, Interval(float(ends[0]), float(ends[1]), level))
    own = max(float(resampled.var()), 1e-300)
    both = own + workers.variance
    df = both**2 / (own**2 / max(images - 1, 1) + workers.variance**2 / workers.df)
    upper = (1 + level) / 2
    wider = np.sqrt(both / own) * special.stdtrit(df, upper) / special.ndtri(upper)
    low, high = gap + wider * (ends - gap)
    return Gap(gap, Interval(float(low), float(high), level), float(np.sqrt(workers.variance)))
