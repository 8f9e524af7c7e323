"""What votes say: frequencies with intervals, differences on held-out votes, overdispersion."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from replicate.analysis.intervals import Interval, wilson_bounds
from replicate.base.errors import UsageError
from replicate.base.randomness import stream

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Frequencies:
    """Selection frequencies with Wilson intervals; NaN throughout where nobody saw the image.

    Attributes:
        frequency: selected / shown, one an (image, class).
        low: The lower ends.
        high: The upper ends.
        level: The confidence level.
    """

    frequency: Floats
    low: Floats
    high: Floats
    level: float


@dataclass(frozen=True)
class HeldoutDifference:
    """Mean selection frequency on held-out votes: original − new.

    Attributes:
        original: The original's mean over its images; each image counts the same.
        new: The new set's.
        difference: original − new; above zero, the new set is harder to recognise.
        se: Standard error of the difference, over images.
        interval: The interval of the difference, over images of both sets (`heldout_difference`
            makes it by a bootstrap).
        n_original: Images of the original that have held-out votes.
        n_new: Images of the new set that have.
        n_without: Images of both sets that have none, and are left out.
    """

    original: float
    new: float
    difference: float
    se: float
    interval: Interval
    n_original: int
    n_new: int
    n_without: int


def _counts(selected: npt.ArrayLike, shown: npt.ArrayLike) -> tuple[Floats, Floats]:
    k, n = np.asarray(selected, dtype=np.float64), np.asarray(shown, dtype=np.float64)
    if k.ndim != 1 or k.shape != n.shape:
        raise UsageError("Votes are two lists of the same length: selected and shown.")
    if np.any(k < 0) or np.any(k > n):
        raise UsageError("An image cannot be selected more often than it was shown.")
    return k, n


def frequencies(selected: npt.ArrayLike, shown: npt.ArrayLike, level: float = 0.95) -> Frequencies:
    """Selection frequencies of images, with Wilson intervals.

    Args:
        selected: How many people selected each image.
        shown: How many saw it; 0 gives NaN, for no votes is not a frequency of zero.
        level: The confidence level, in (0, 1).

    Raises:
        UsageError: The lists do not fit each other.

    >>> found = frequencies([7, 0], [10, 0])
    >>> found.frequency.tolist(), found.low.round(3).tolist()
    ([0.7, nan], [0.397, nan])
    """
    k, n = _counts(selected, shown)
    seen = n > 0
    frequency, low, high = (np.full(n.shape, np.nan) for _ in range(3))
    frequency[seen] = k[seen] / n[seen]
    low[seen], high[seen] = wilson_bounds(k[seen], n[seen], level)
    return Frequencies(frequency, low, high, level)


def heldout_difference(
    selected_original: npt.ArrayLike,
    shown_original: npt.ArrayLike,
    selected_new: npt.ArrayLike,
    shown_new: npt.ArrayLike,
    seed: int,
    *names: str | int,
    resamples: int = 1000,
    level: float = 0.95,
) -> HeldoutDifference:
    """How much more often people select the original's images, on votes kept out of sampling.

    The votes that a set was sampled by flatter the match: an image picked for a high frequency
    regresses. Votes that the sampling never saw do not (Engstrom et al. 2020).

    Args:
        selected_original: Held-out selections of each image of the original.
        shown_original: Held-out votes of each; an image with none is left out.
        selected_new: The same of the new set.
        shown_new: The same of the new set.
        seed: The study's seed.
        *names: What this is for, such as the new set's name.
        resamples: Bootstrap resamples over images.
        level: The confidence level, in (0, 1).

    Raises:
        UsageError: The lists do not fit, or a set has fewer than two images with votes.

    >>> found = heldout_difference([3, 2, 3, 3], [3] * 4, [2, 1, 3, 2], [3] * 4, 1, "demo")
    >>> round(found.difference, 3), found.interval.contains(found.difference)
    (0.25, True)
    """
    sides = []
    without = 0
    for selected, shown in ((selected_original, shown_original), (selected_new, shown_new)):
        k, n = _counts(selected, shown)
        without += int((n == 0).sum())
        frequency = k[n > 0] / n[n > 0]
        if frequency.size < 2:
            raise UsageError(
                "Fewer than two images of a set have held-out votes.",
                "Collect more assignments, or hold out fewer votes.",
            )
        sides.append(frequency)
    first, second = sides
    difference = float(first.mean() - second.mean())
    se = float(np.sqrt(first.var(ddof=1) / first.size + second.var(ddof=1) / second.size))
    generator = stream(seed, "heldout", *names)
    means = [_resampled_means(side, resamples, generator) for side in sides]
    low, high = np.quantile(means[0] - means[1], [(1 - level) / 2, (1 + level) / 2])
    return HeldoutDifference(
        float(first.mean()),
        float(second.mean()),
        difference,
        se,
        Interval(float(low), float(high), level),
        first.size,
        second.size,
        without,
    )


def _resampled_means(values: Floats, resamples: int, generator: np.random.Generator) -> Floats:
    # Frequencies of few votes take few values: resampling how many images have each value is
    # the same as resampling the images, and much less work.
    distinct, counts = np.unique(values, return_counts=True)
    drawn = generator.multinomial(values.size, counts / values.size, size=resamples)
    return np.asarray(drawn @ distinct / values.size, dtype=np.float64)


def intraclass_correlation(selected: npt.ArrayLike, shown: npt.ArrayLike) -> float:
    """How alike the votes on one image are: the intra-class correlation of beta-binomial votes.

    0 when every image has the same chance of being selected, 1 when all people agree on every
    image. The maximum-likelihood estimate of ρ = 1/(α + β + 1) of the beta-binomial
    distribution, by a search over mean and ρ; images with no votes say nothing and are left
    out. At least one image needs two votes.

    Args:
        selected: How many people selected each image.
        shown: How many saw it.

    Returns:
        ρ in [0, 1]; NaN where nothing varies, or no image has two votes.

    Raises:
        UsageError: The lists do not fit each other.

    >>> round(intraclass_correlation([10, 10, 0, 0], [10] * 4), 2)
    1.0
    >>> intraclass_correlation([5, 5, 5, 5], [10] * 4) < 0.01
    True
    """
    k, n = _counts(selected, shown)
    k, n = k[n > 0], n[n > 0]
    if k.size == 0 or n.max() < 2 or k.sum() in (0.0, n.sum()):
        return float("nan")
    pairs, counts = np.unique(np.stack([k, n]), axis=1, return_counts=True)
    # Refine a grid in (logit mean, logit ρ) around its best point until it is narrow.
    centre = np.array([special.logit(k.sum() / n.sum()), 0.0])
    half = np.array([2.0, 14.0])
    for _ in range(24):
        steps = np.linspace(-1, 1, 9)
        mean = special.expit(centre[0] + half[0] * steps)[:, None, None]
        rho = special.expit(centre[1] + half[1] * steps)[None, :, None]
        total = (1 - rho) / rho
        a, b = mean * total, (1 - mean) * total
        each = special.betaln(pairs[0] + a, pairs[1] - pairs[0] + b) - special.betaln(a, b)
        best = np.unravel_index(np.argmax(each @ counts), (9, 9))
        centre = centre + half * steps[list(best)]
        # Beyond these the likelihood is flat, and its differences are rounding.
        centre[1] = min(max(centre[1], -14.0), 14.0)
        half *= 0.6
    return float(special.expit(centre[1]))
