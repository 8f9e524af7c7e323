"""Putting together what images and what models contribute to an estimate's uncertainty."""

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]


def small_sample_factor(n: int, fitted: int, level: float = 0.95) -> float:
    """How much wider an interval over n sampled units must be than their bootstrap's.

    The bootstrap's variance is too small by (n − p)/n, and the normal's quantiles stand for
    Student's: Hesterberg (2015), "What Teachers Should Know About the Bootstrap", section 4.

    Args:
        n: The number of units.
        fitted: How many parameters p are fitted to them: 1 for a mean, 2 for a line.
        level: The confidence level, in (0, 1).

    >>> round(small_sample_factor(30, 1), 3), round(small_sample_factor(10_000, 1), 3)
    (1.061, 1.0)
    """
    freedom = max(n - fitted, 1)
    tail = (1 + level) / 2
    wider = special.stdtrit(freedom, tail) / special.ndtri(tail)
    return float(wider * np.sqrt(n / freedom))


def joined(
    estimate: float, by_model: Floats, wide: float, by_image: Floats, shared: float
) -> Floats:
    """Resamples over models and images from those over each.

    Args:
        estimate: What was observed.
        by_model: Resamples over models, shape (resamples,).
        wide: How much these are widened (``small_sample_factor``).
        by_image: Resamples over images, shape (resamples,).
        shared: By how much these are shrunk (``shared_part``).

    >>> joined(1.0, np.array([1.0, 2.0, 3.0]), 1.0, np.array([5.0, 5.0, 5.0]), 1.0).tolist()
    [0.0, 1.0, 2.0]
    """
    models = wide * (by_model - np.nanmedian(by_model))
    return np.asarray(estimate + models + shared * (by_image - np.nanmedian(by_image)))


def shared_part(by_image: Floats, noise: Floats, design: Floats, influence: Floats) -> float:
    """The part of the image noise of an estimate that is not of single models.

    With image noise ε_i of model i, the estimate moves by Σ l_i ε_i. What is left of ε after the
    fit (its residual) shows as scatter between models, and resampling models counts it: its
    variance Σ l_i² Var(ε̂_i) · m/(m − p) is taken off.

    Args:
        by_image: Resamples of the estimate over images, shape (resamples,).
        noise: Each model's deviation in each resample, shape (resamples, m).
        design: What is fitted, shape (m, p): ones, and the original's accuracies for a line.
        influence: l, shape (m,).

    Returns:
        A factor in [0, 1] for the deviations over images.

    >>> noise = np.random.default_rng(0).normal(size=(2000, 10))
    >>> same, each = np.ones((10, 1)), np.full(10, 0.1)
    >>> shared_part(noise.mean(axis=1), noise, same, each) < 0.3  # every model by itself
    True
    >>> shared_part(noise[:, 0], noise[:, :1] * np.ones(10), same, each)  # all alike
    1.0
    """
    count, fitted = design.shape
    variance = float(by_image.var())
    if count <= fitted or variance <= 0:
        return 1.0
    centred = noise - noise.mean(axis=0)
    basis = np.linalg.qr(design)[0]
    rest = centred - (centred @ basis) @ basis.T
    own = float(influence**2 @ (rest**2).mean(axis=0)) * count / (count - fitted)
    return float(np.sqrt(min(max(1 - own / variance, 0.0), 1.0)))
