"""Zoos with planted accuracies, for analyses."""

import numpy as np
from scipy import stats

from replicate.analysis.scores import Scores, from_items


def right_answers(rng: np.random.Generator, accuracy: np.ndarray, n: int, shared: float = 0.5):
    """Right answers of shape (n, models): models share that part of what makes an item hard."""
    latent = rng.normal(size=(n, 1))
    own = rng.normal(size=(n, len(accuracy)))
    return np.sqrt(shared) * latent + np.sqrt(1 - shared) * own < stats.norm.ppf(accuracy)


def planted(
    seed: int,
    names: tuple[str, ...],
    *,
    slope: float = 0.9,
    intercept: float = -0.2,
    sizes: tuple[int, int] = (3000, 1500),
) -> tuple[Scores, Scores, np.ndarray, np.ndarray]:
    """Two sets on which the models lie on a probit line; and the true accuracies."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0.6, 0.9, len(names))
    y = stats.norm.cdf(slope * stats.norm.ppf(x) + intercept)
    old, new = (
        from_items(name, names, right_answers(rng, accuracy, n))
        for name, accuracy, n in (("old", x, sizes[0]), ("new", y, sizes[1]))
    )
    return old, new, x, y
