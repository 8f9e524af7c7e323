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
                 distribution of s (Engstrom et al. fit a beta mixture), g a polynomial that is
                 held near a straight line as far as images do not say otherwise; recommended
``moments``      g a polynomial, by normal equations of unbiased moments of s
``heldout``      g a polynomial, fitted over strata of n − h votes to the unbiased moments of the h
                 votes held out, averaged over all ways to hold out: votes calibrate votes
===============  ==================================================================================

The votes of the new set must have had no part in choosing its images: those of a whole pool, or
fresh ones. All estimators need nothing but counts, and are computed for all bootstrap resamples
at once. An accuracy that they give is cut to [0, 1], so that no gap is one that there cannot be.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from replicate.analysis.adjust_cautions import ENOUGH_VOTES, Caution, cautions
from replicate.analysis.adjust_cells import Cells, Sums, portions, thinned
from replicate.analysis.adjust_estimators import ESTIMATORS, RECOMMENDED, Estimator, degree_for
from replicate.analysis.adjust_mixture import fit_mixture
from replicate.analysis.adjust_workers import SingleVotes, WorkerSpread, worker_spreads
from replicate.analysis.intervals import Interval
from replicate.base.errors import UsageError
from replicate.base.randomness import stream

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
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
        allowance: The standard deviation of the bias that the interval allows for; 0 for none.
    """

    gap: float
    interval: Interval
    worker_sd: float = 0.0
    allowance: float = 0.0


@dataclass(frozen=True)
class AdjustedGaps:
    """What is left of a gap at equal selection frequencies.

    Attributes:
        raw: The gap as it is.
        estimators: The adjusted gap by each estimator that these votes allow.
        recommended: The one to report; None where none says anything (a caution says why).
        degree: The degree of g.
        held: How many votes ``heldout`` holds out.
        workers: How many workers the intervals are over; None where it is not known who voted.
        cautions: What there is to say against the estimate, the gravest first.
    """

    raw: Gap
    estimators: dict[str, Gap]
    recommended: str | None
    degree: int
    held: int
    workers: int | None = None
    cautions: tuple[Caution, ...] = ()


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

    Intervals are the gap ± t standard errors of a bootstrap over images, each with its votes,
    original and new apart; where strata are given their sizes are kept. Where single votes are
    given, what workers add is added (`replicate.analysis.adjust_workers`); without, intervals hold
    if the votes of different images are independent. The recommended estimator has an allowance
    for its bias (`replicate.analysis.adjust_mixture`): its standard error is at least that, and
    with fewer than five votes an image, which cannot tell how g bends, both add up. None is
    recommended where the interval would be wider than 50 points. The raw gap's interval is made of
    percentiles.

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
    allowance, outside = 0.0, False
    sizes = [1, *portions(resamples, n_images)]
    for position, size in enumerate(sizes):  # the first is the sets as they are
        sums = Sums(
            *old_images.sums(None if position == 0 else rng, size),
            *new_images.sums(None if position == 0 else rng, size),
            new_images.noise,
        )
        raw.append(sums.original_mean - sums.new_mean)
        for name, estimator in estimators.items():
            found[name].append(_gaps(estimator, sums, held, degree))
        if position == 0:
            fit = fit_mixture(sums, degree)
            allowance = float(fit.allowance(fewest < ENOUGH_VOTES)[0])
            outside = not 0 <= fit.accuracy[0] <= 1
    spreads: dict[str, WorkerSpread] = {}
    if original.votes is not None or new.votes is not None:
        spreads = worker_spreads(original, new, estimators, held, degree)
    errors = {
        name: _Error.of(values, n_images, spreads.get(name)) for name, values in found.items()
    }
    told: tuple[Caution, ...] = ()
    if RECOMMENDED in errors:
        plain = errors[RECOMMENDED]
        errors[RECOMMENDED] = plain.with_allowance(allowance, add=fewest < ENOUGH_VOTES)
        told = cautions(
            images=(len(old_images), len(new_images)),
            votes=fewest,
            error=plain.standard_error,
            allowance=allowance,
            half_width=errors[RECOMMENDED].half_width(level),
            outside=outside,
        )
    return AdjustedGaps(
        raw=_percentiles(raw, level),
        estimators={
            name: error.around(float(found[name][0][0]), level) for name, error in errors.items()
        },
        recommended=None if any(c.code == "none_recommended" for c in told) else RECOMMENDED,
        degree=degree,
        held=held,
        workers=max((spread.workers for spread in spreads.values()), default=None),
        cautions=told,
    )


def _gaps(estimator: Estimator, sums: Sums, held: int, degree: int) -> Floats:
    """The adjusted gap under each weighting, shape (b,); none is one that there cannot be."""
    gap: Floats = sums.original_mean - np.clip(estimator(sums, held, degree), 0.0, 1.0)
    return gap


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
            sums = Sums(*thinned(parts[0], n), *thinned(parts[1], n), new_images.noise)
            for name in ("naive", "jackknife", RECOMMENDED):
                gap = _gaps(ESTIMATORS[name], sums, *degree_for(n))
                found[n].setdefault(name, []).append(gap)
    return tuple(
        AtVotes(
            n,
            {
                name: _Error.of(values, n_images).around(float(values[0][0]), level)
                for name, values in at.items()
            },
            RECOMMENDED,
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


def _percentiles(values: list[Floats], level: float) -> Gap:
    low, high = np.quantile(np.concatenate(values[1:]), [(1 - level) / 2, (1 + level) / 2])
    return Gap(float(values[0][0]), Interval(float(low), float(high), level))


@dataclass(frozen=True)
class _Error:
    """How far a gap may be off: variances, and the degrees of freedom of their sum."""

    own: float
    own_df: float
    workers: float = 0.0
    workers_df: float = 1.0
    allowance: float = 0.0
    add: bool = False  # whether the allowance adds to the rest, or is the least that is believed

    @classmethod
    def of(cls, values: list[Floats], images: int, workers: WorkerSpread | None = None) -> "_Error":
        own = float(np.concatenate(values[1:]).var())
        if workers is None:
            return cls(own, max(images - 2, 1))
        return cls(own, max(images - 2, 1), workers.variance, workers.df)

    def with_allowance(self, allowance: float, *, add: bool) -> "_Error":
        return replace(self, allowance=allowance, add=add)

    @property
    def standard_error(self) -> float:
        both, bias = self.own + self.workers, self.allowance**2
        return float(np.sqrt(both + bias if self.add else max(both, bias)))

    def half_width(self, level: float) -> float:
        parts = self.own**2 / self.own_df + self.workers**2 / self.workers_df
        df = (self.own + self.workers) ** 2 / parts if parts > 0 else self.own_df
        return float(special.stdtrit(df, (1 + level) / 2)) * self.standard_error

    def around(self, gap: float, level: float) -> Gap:
        half = self.half_width(level)
        ends = Interval(max(gap - half, -1.0), min(gap + half, 1.0), level)
        return Gap(gap, ends, float(np.sqrt(self.workers)), self.allowance)
