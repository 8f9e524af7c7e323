"""What covariates say of true frequencies beyond the votes, so that matching them shifts nothing.

Of two images with the same votes the one with the later year may be the one that people select more
often, if frequencies rise with the years: its votes are then more likely to have been bad luck.
Taking images by their years so moves the mean of the *true* frequencies, which no count of votes
shows. Over all images the slope of true frequencies on x is that of the observed ones, β, for votes
are unbiased. Among images of equal votes it is β times the weight that the votes leave to what was
known before: r = Var(s | votes) / Var(s) without x, and r / (r + (1 - R²) (1 - r)) where x explains
the share R² of the true frequencies' variance (exact for normal variables; Gelman et al., Bayesian
Data Analysis, 5.4).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from replicate.sampling.frequencies import Frequencies

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tilt:
    """How covariates go with true frequencies.

    Attributes:
        slopes: Rise of the frequency for each covariate's unit, within classes, shape (p,).
        covariance: Of the slopes, over images, shape (p, p).
        surplus: By class: each candidate's covariates beyond what its votes let expect, times that
            weight; shape (images, p). With the slopes they give its expected true frequency beyond
            that of its votes.
    """

    slopes: Floats
    covariance: Floats
    surplus: dict[str, Floats]


def tilt(images: Frequencies, values: Floats, mean: Floats, variance: Floats) -> Tilt:
    """Estimate how covariates go with true frequencies, within classes.

    Args:
        images: Candidates with 2 votes or more.
        values: Their covariates, shape (n, p).
        mean: Expected true frequency, or share of misses, given the votes, shape (n,).
        variance: Its variance given the votes, shape (n,).

    >>> from replicate.sampling.frequencies import frequencies
    >>> images = frequencies([(f"i{k}", "0", k, 4) for k in range(5)])
    >>> found = tilt(images, np.arange(5.0)[:, None], np.full(5, 0.5), np.full(5, 0.01))
    >>> found.slopes.round(3).tolist()
    [0.25]
    """
    names, begin = images.runs
    sizes = np.diff(begin)

    def within(columns: Floats) -> Floats:
        means = np.add.reduceat(columns, begin[:-1], axis=0) / sizes[:, None]
        found: Floats = columns - np.repeat(means, sizes, axis=0)
        return found

    x = within(values)
    y = within(images.frequency[:, None])[:, 0]
    inverse = np.linalg.pinv(x.T @ x)
    slopes = inverse @ (x.T @ y)
    scores = x * (y - x @ slopes)[:, None]
    covariance = inverse @ (scores.T @ scores) @ inverse
    n, k = images.shown, images.selected
    noise = float((k * (n - k) / (n * n * np.maximum(n - 1, 1))).mean())
    observed = float(y @ y) / max(len(y) - len(names), 1)
    # Where noise explains nearly all that is seen, the ratio below would be any number.
    true = max(observed - noise, 0.1 * observed, 1e-9)
    explained = min(float(((x @ slopes) ** 2).mean()) / true, 0.9)
    left = np.minimum(variance / true, 1.0)
    weight = left / (left + (1.0 - explained) * (1.0 - left) + 1e-12)
    m = within(mean[:, None])[:, 0]
    expected = np.outer(m, (x.T @ m) / max(float(m @ m), 1e-12))
    surplus = (x - expected) * weight[:, None]
    parts = np.split(surplus, begin[1:-1])
    return Tilt(slopes, covariance, dict(zip(names, parts, strict=True)))
