"""Mean selection frequencies with intervals that know that votes hang together.

Votes on one image are alike, and so are votes of one worker, who may be generous or strict
everywhere. Taken as independent, they give an interval that is far too short. Here the variance
of the mean is that of its clusters: over images, over workers, or over both crossed.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from replicate.analysis.intervals import Interval, wilson
from replicate.base.errors import UsageError

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]


@dataclass(frozen=True)
class MeanFrequency:
    """The mean selection frequency of some images; each image counts the same.

    Attributes:
        mean: The mean of selected / shown over the images; NaN if there are none.
        n_images: Images with at least one vote.
        n_votes: Their votes.
        n_workers: Different workers; None where it is not known who voted.
        images: Interval for other images like these, judged by the same workers; None with
            fewer than two images.
        workers: Interval for other workers like these, on the same images; None with fewer
            than two workers, or where they are not known.
        both: Interval for other images and other workers; None where one of the others is.
    """

    mean: float
    n_images: int
    n_votes: int
    n_workers: int | None
    images: Interval | None
    workers: Interval | None
    both: Interval | None

    @property
    def interval(self) -> Interval | None:
        """The widest statement that the votes allow: over both, else over images."""
        return self.both or self.images


def mean_of_counts(
    selected: npt.ArrayLike, shown: npt.ArrayLike, level: float = 0.95
) -> MeanFrequency:
    """The mean frequency from counts alone, with its interval over images.

    Args:
        selected: How many people selected each image; shape (images,).
        shown: How many saw it; images that nobody saw are left out.
        level: The confidence level, in (0, 1).

    >>> found = mean_of_counts([9, 7, 10, 8], [10, 10, 10, 10])
    >>> round(found.mean, 3), round(found.images.low, 3), round(found.images.high, 3)
    (0.85, 0.531, 0.966)
    """
    k, n = np.asarray(selected, dtype=np.float64), np.asarray(shown, dtype=np.float64)
    k, n = k[n > 0], n[n > 0]
    if n.size == 0:
        return MeanFrequency(float("nan"), 0, 0, None, None, None, None)
    frequency = k / n
    mean = float(frequency.mean())
    images = _over_images(frequency, mean, level)
    return MeanFrequency(mean, n.size, int(n.sum()), None, images, None, None)


def mean_of_votes(
    images: npt.ArrayLike, workers: npt.ArrayLike, votes: npt.ArrayLike, level: float = 0.95
) -> MeanFrequency:
    """The mean frequency from single votes, with intervals over images, workers and both.

    With y a vote, f its image's frequency, n the image's votes, m the mean over I images, and
    w = 1/(I n) the vote's weight in m, the variance over both is that of Cameron, Gelbach and
    Miller (2011), images + workers − their crossing: Σ_i (Σ w (y − m))² + Σ_j (Σ w (y − m) /
    (1 − h_j))² − Σ (w (y − m))², where h_j is the weight of worker j's votes in m, as in the
    jackknife over workers. Over workers alone, images being fixed, it is Σ_j (Σ w (y − f)
    √(n / (n − 1)))² / (1 − h_j). Ends are made on the logit scale with Student's t, whose
    degrees of freedom are Satterthwaite's, with workers counted by how much each has done.

    Args:
        images: The (image, class) of each vote, as codes from 0; shape (votes,).
        workers: The worker of each vote, as codes from 0; shape (votes,).
        votes: Whether each vote is a yes; shape (votes,).
        level: The confidence level, in (0, 1).

    Raises:
        UsageError: The lists do not fit each other, or the level is not in (0, 1).

    Source: A. C. Cameron, J. B. Gelbach and D. L. Miller (2011), Robust inference with
    multiway clustering, Journal of Business & Economic Statistics 29, 238-249.

    >>> found = mean_of_votes([0, 0, 0, 1, 1, 1, 2, 2, 2], [0, 1, 2] * 3, [1, 1, 0] * 3)
    >>> round(found.mean, 3), found.n_workers
    (0.667, 3)
    >>> found.both.high - found.both.low > found.images.high - found.images.low
    True
    """
    image = np.unique(np.asarray(images), return_inverse=True)[1]
    worker = np.unique(np.asarray(workers), return_inverse=True)[1]
    yes = np.asarray(votes).astype(np.float64)
    if not image.shape == worker.shape == yes.shape or yes.ndim != 1:
        raise UsageError("Votes are three lists of the same length: images, workers, votes.")
    if yes.size == 0:
        return MeanFrequency(float("nan"), 0, 0, 0, None, None, None)
    shown = np.bincount(image).astype(np.float64)
    frequency = np.bincount(image, yes) / shown
    mean = float(frequency.mean())
    found = _Clusters(image, worker, yes, shown, frequency, mean)
    return MeanFrequency(
        mean,
        shown.size,
        yes.size,
        found.n_workers,
        _over_images(frequency, mean, level),
        found.over_workers(level),
        found.over_both(level),
    )


def effective_counts(
    images: npt.ArrayLike, workers: npt.ArrayLike, votes: npt.ArrayLike, n_images: int
) -> tuple[Floats, Floats]:
    """Selected and shown of each image, as if all votes came from different workers.

    Where a worker voted n_j times on an image, its n votes are worth n² / Σ n_j² (Kish 1965);
    where nobody voted twice, these are the plain counts. The frequency is the same.

    Args:
        images: The (image, class) of each vote, as codes from 0; shape (votes,).
        workers: The worker of each vote, as codes from 0; shape (votes,).
        votes: Whether each vote is a yes; shape (votes,).
        n_images: How many images there are.

    Returns:
        Two lists of shape (n_images,).

    >>> selected, shown = effective_counts([0, 0, 1, 1], [0, 1, 0, 0], [1, 0, 1, 1], 2)
    >>> selected.tolist(), shown.tolist()
    ([1.0, 1.0], [2.0, 1.0])
    """
    image, worker = np.asarray(images, dtype=np.int64), np.asarray(workers, dtype=np.int64)
    yes = np.asarray(votes).astype(np.float64)
    shown = np.bincount(image, minlength=n_images).astype(np.float64)
    cells, sizes = np.unique(image * (worker.max(initial=0) + 1) + worker, return_counts=True)
    of_image = cells // (worker.max(initial=0) + 1)
    squares = np.bincount(of_image, sizes.astype(np.float64) ** 2, n_images)
    worth = np.divide(shown, squares, out=np.zeros(n_images), where=squares > 0)
    selected = np.bincount(image, yes, n_images).astype(np.float64)
    return selected * worth, shown * worth


@dataclass(frozen=True)
class _Clusters:
    image: Codes
    worker: Codes
    yes: Floats
    shown: Floats
    frequency: Floats
    mean: float

    @property
    def n_workers(self) -> int:
        return int(self.worker.max()) + 1

    def _parts(self) -> tuple[Floats, Floats, float]:
        """Each vote's weight in the mean, each worker's, and the degrees of freedom."""
        weight = 1 / (self.shown.size * self.shown[self.image])
        share = np.bincount(self.worker, weight).astype(np.float64)
        work = share**2
        return weight, share, max(float(work.sum() ** 2 / (work**2).sum()) - 1, 1.0)

    def over_workers(self, level: float) -> Interval | None:
        if self.n_workers < 2:
            return None
        weight, share, df = self._parts()
        n = self.shown[self.image]
        # An image with one vote says nothing of how workers differ on it: take it from the mean.
        within = (self.yes - self.frequency[self.image]) * np.sqrt(n / np.maximum(n - 1, 1))
        residual = np.where(n > 1, within, self.yes - self.mean)
        sums = np.bincount(self.worker, weight * residual)
        variance = float((sums**2 / (1 - share)).sum())
        return _ends(self.mean, variance, df, self.n_workers, level)

    def over_both(self, level: float) -> Interval | None:
        if self.n_workers < 2 or self.shown.size < 2:
            return None
        weight, share, df = self._parts()
        residual = weight * (self.yes - self.mean)
        sums = np.bincount(self.worker, residual)
        _, cell = np.unique(self.image * self.n_workers + self.worker, return_inverse=True)
        crossing = float((np.bincount(cell, residual) ** 2).sum())
        of_workers = max(float(((sums / (1 - share)) ** 2).sum()) - crossing, 0.0)
        of_images = _variance_over_images(self.frequency)
        variance = of_workers + of_images
        if variance > 0:
            spread = of_workers**2 / df + of_images**2 / (self.shown.size - 1)
            df = variance**2 / spread
        return _ends(self.mean, variance, df, min(self.n_workers, self.shown.size), level)


def _variance_over_images(frequency: Floats) -> float:
    return float(frequency.var(ddof=1) / frequency.size)


def _over_images(frequency: Floats, mean: float, level: float) -> Interval | None:
    if frequency.size < 2:
        return None
    df = frequency.size - 1
    return _ends(mean, _variance_over_images(frequency), df, frequency.size, level)


def _ends(mean: float, variance: float, df: float, clusters: int, level: float) -> Interval:
    """An interval on the logit scale; where all votes are alike, that of so many clusters."""
    if not 0 < level < 1:
        raise UsageError(f"A confidence level lies between 0 and 1, not at {level}.")
    if mean in (0.0, 1.0):
        return wilson(int(mean) * clusters, clusters, level)
    half = float(special.stdtrit(df, (1 + level) / 2)) * np.sqrt(variance) / (mean * (1 - mean))
    low, high = special.expit(special.logit(mean) + np.array([-half, half]))
    return Interval(float(low), float(high), level)
