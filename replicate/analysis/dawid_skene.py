"""How well each worker tells yes from no, without knowing the truth: Dawid and Skene (1979).

Each (image, class) has an unknown truth, yes or no. Worker w says yes to a true yes with
probability sensitivity_w, and no to a true no with probability specificity_w, independently of
the other workers given the truth. Expectation-maximisation alternates between the probability
that each truth is yes and the workers' two numbers.

Real images are not all clearly yes or no, so the numbers measure a worker against what the crowd
as a whole holds for true. Where most people are wrong about most images, no arithmetic on votes
can tell; controls can.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from replicate.base.errors import UsageError

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]


@dataclass(frozen=True)
class DawidSkene:
    """What the votes say of images and workers.

    Attributes:
        probability: That the truth of each image is yes; shape (images,), in [0, 1].
        sensitivity: How often each worker says yes to a true yes; shape (workers,), in (0, 1).
        specificity: How often each worker says no to a true no; shape (workers,), in (0, 1).
        n_positive: Each worker's votes on true yeses, as an expected number; shape (workers,).
        n_negative: Each worker's votes on true noes, likewise.
        prevalence: The share of true yeses among the images, in (0, 1).
        iterations: Rounds that were made.
        converged: Whether the last round moved no number by more than the tolerance.
        log_posterior: The logarithm of likelihood times priors at the end.
        smoothing: The prior's pseudo-votes on either side.
    """

    probability: Floats
    sensitivity: Floats
    specificity: Floats
    n_positive: Floats
    n_negative: Floats
    prevalence: float
    iterations: int
    converged: bool
    log_posterior: float
    smoothing: float

    @property
    def informedness(self) -> Floats:
        """Sensitivity + specificity − 1, Youden's J: 1 is perfect, 0 is a guess."""
        return self.sensitivity + self.specificity - 1

    @property
    def informedness_se(self) -> Floats:
        """The standard error of informedness, taking the truths as found; shape (workers,)."""
        sides = (
            (self.sensitivity, self.n_positive + 2 * self.smoothing),
            (self.specificity, self.n_negative + 2 * self.smoothing),
        )
        variance = np.sum([rate * (1 - rate) / n for rate, n in sides], axis=0)
        return np.asarray(np.sqrt(variance), dtype=np.float64)


def dawid_skene(
    images: npt.ArrayLike,
    workers: npt.ArrayLike,
    votes: npt.ArrayLike,
    *,
    smoothing: float = 1.0,
    tolerance: float = 1e-6,
    max_iterations: int = 500,
) -> DawidSkene:
    """Estimate truths, sensitivities and specificities by expectation-maximisation.

    One pair of numbers a worker, over all classes. Each rate and the prevalence have a
    symmetric beta prior worth ``smoothing`` votes on either side, so that no rate is ever 0, 1
    or undefined; a worker who saw no true yes has a sensitivity of 1/2. The rounds begin with
    each image's share of yeses, which decides which of the two labellings is called yes.

    Args:
        images: The (image, class) of each vote, as codes from 0; shape (votes,).
        workers: The worker of each vote, as codes from 0; shape (votes,).
        votes: Whether each vote is a yes; shape (votes,).
        smoothing: Pseudo-votes on either side of every rate, above 0.
        tolerance: The largest change of a rate or probability at which it stops.
        max_iterations: It stops after as many rounds, and then says that it did not converge.

    Raises:
        UsageError: The lists do not fit each other, are empty, or a number is out of range.

    Source: A. P. Dawid and A. M. Skene (1979), Maximum likelihood estimation of observer
    error-rates using the EM algorithm, Applied Statistics 28, 20-28.

    >>> good, spammer = [1, 1, 0, 0], [1, 1, 1, 1]
    >>> found = dawid_skene([0, 1, 2, 3] * 4, [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4,
    ...                     good * 3 + spammer)
    >>> found.probability.round(2).tolist(), found.converged
    ([0.95, 0.95, 0.05, 0.05], True)
    >>> found.informedness.round(1).tolist()
    [0.4, 0.4, 0.4, 0.0]
    """
    data = _Votes(images, workers, votes)
    if not smoothing > 0 or not tolerance > 0 or max_iterations < 1:
        raise UsageError("Smoothing and tolerance lie above 0, and there is at least one round.")
    probability = np.divide(data.yes_of_image, data.of_image, out=np.full(data.n_images, 0.5),
                            where=data.of_image > 0)  # fmt: skip
    rates = _rates(data, probability, smoothing)
    iterations, converged = 0, False
    while iterations < max_iterations and not converged:
        iterations += 1
        log_odds = _log_odds(data, *rates)
        updated = special.expit(log_odds)
        fresh = _rates(data, updated, smoothing)
        moved = max(
            float(np.abs(updated - probability).max()),
            *(float(np.abs(new - old).max()) for new, old in zip(fresh, rates, strict=True)),
        )
        converged = moved <= tolerance
        probability, rates = updated, fresh
    positive = _sums(data.workers, probability[data.images], data.n_workers)
    return DawidSkene(
        probability=probability,
        sensitivity=rates[0],
        specificity=rates[1],
        n_positive=positive,
        n_negative=data.of_worker - positive,
        prevalence=float(rates[2]),
        iterations=iterations,
        converged=converged,
        log_posterior=_log_posterior(data, *rates, smoothing),
        smoothing=smoothing,
    )


class _Votes:
    """The votes as codes, those that are yes apart, and how many there are of each."""

    def __init__(self, images: npt.ArrayLike, workers: npt.ArrayLike, votes: npt.ArrayLike) -> None:
        self.images, self.workers = _codes(images), _codes(workers)
        said = np.asarray(votes).astype(bool)
        if not self.images.shape == self.workers.shape == said.shape or said.ndim != 1:
            raise UsageError("Votes are three lists of the same length: images, workers, votes.")
        if said.size == 0:
            raise UsageError("There are no votes to learn anything from.")
        self.n_images, self.n_workers = int(self.images.max()) + 1, int(self.workers.max()) + 1
        self.yes_images, self.yes_workers = self.images[said], self.workers[said]
        self.of_image = np.bincount(self.images, minlength=self.n_images).astype(np.float64)
        self.of_worker = np.bincount(self.workers, minlength=self.n_workers).astype(np.float64)
        self.yes_of_image = np.bincount(self.yes_images, minlength=self.n_images)
        self.yes_of_worker = np.bincount(self.yes_workers, minlength=self.n_workers)


def _codes(values: npt.ArrayLike) -> Codes:
    codes = np.asarray(values)
    if codes.size and (not np.issubdtype(codes.dtype, np.integer) or codes.min() < 0):
        raise UsageError("Images and workers are given as whole numbers from 0.")
    return codes.astype(np.intp)


def _sums(codes: Codes, values: Floats, length: int) -> Floats:
    return np.asarray(np.bincount(codes, values, length), dtype=np.float64)


def _rates(data: _Votes, probability: Floats, smoothing: float) -> tuple[Floats, Floats, Floats]:
    """Sensitivities, specificities and the prevalence that fit the truths best (M step)."""
    positive = _sums(data.workers, probability[data.images], data.n_workers)
    hits = _sums(data.yes_workers, probability[data.yes_images], data.n_workers)
    negative = data.of_worker - positive
    rejections = negative - (data.yes_of_worker - hits)
    sensitivity = (hits + smoothing) / (positive + 2 * smoothing)
    # The difference of large sums may fall below zero by a rounding.
    specificity = (np.maximum(rejections, 0.0) + smoothing) / (negative + 2 * smoothing)
    voted = data.of_image > 0
    prevalence = (probability[voted].sum() + smoothing) / (voted.sum() + 2 * smoothing)
    return sensitivity, specificity, np.asarray(prevalence)


def _log_odds(data: _Votes, sensitivity: Floats, specificity: Floats, prevalence: Floats) -> Floats:
    """The log odds that each truth is yes, given the rates (E step); shape (images,)."""
    of_no = np.log1p(-sensitivity) - np.log(specificity)
    of_yes = np.log(sensitivity) - np.log1p(-specificity)
    total = _sums(data.images, of_no[data.workers], data.n_images)
    total += _sums(data.yes_images, (of_yes - of_no)[data.yes_workers], data.n_images)
    return np.asarray(total + special.logit(prevalence))


def _log_posterior(
    data: _Votes, sensitivity: Floats, specificity: Floats, prevalence: Floats, smoothing: float
) -> float:
    """Log likelihood of the votes plus log priors, without constants."""
    if_no = _sums(data.images, np.log(specificity)[data.workers], data.n_images)
    false_alarm = np.log1p(-specificity) - np.log(specificity)
    if_no += _sums(data.yes_images, false_alarm[data.yes_workers], data.n_images)
    log_odds = _log_odds(data, sensitivity, specificity, prevalence)
    each = if_no + np.log1p(-prevalence) + np.logaddexp(0.0, log_odds)
    rates = np.concatenate([sensitivity, specificity, [prevalence]])
    return float(each[data.of_image > 0].sum() + smoothing * np.log(rates * (1 - rates)).sum())
