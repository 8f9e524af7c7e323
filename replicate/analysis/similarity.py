"""How alike models are, and what that is worth when many of them use one test set.

Mania et al. (2019), "Model Similarity Mitigates Test Set Overuse": models agree far more often
than independent ones of the same accuracy would, so a test set bears more of them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from replicate.base.errors import UsageError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Similarity:
    """All pairs of models on one set.

    Attributes:
        observed: P(right together or wrong together), shape (m, m).
        independent: What independent models of the same accuracies would give, shape (m, m).
        dominance: [i, j]: P(j is right and i is wrong), shape (m, m): how often the worse model
            knows what the better one does not.
    """

    observed: Floats
    independent: Floats
    dominance: Floats

    def mean(self, what: str) -> float:
        """The mean over all pairs of different models of ``observed`` or ``independent``."""
        matrix: Floats = getattr(self, what)
        i, j = np.triu_indices(len(matrix), k=1)
        return float(matrix[i, j].mean())


def similarity(items: npt.ArrayLike) -> Similarity:
    """Agreement of all pairs of models, from one matrix product.

    With p_i the accuracy of model i and b_ij the share of items that both get right,
    S_ij = b_ij + (1 − p_i − p_j + b_ij); independence gives p_i p_j + (1 − p_i)(1 − p_j).

    Args:
        items: Right or wrong, or scores in [0, 1]; shape (items, m).

    Raises:
        UsageError: There is no item.

    >>> found = similarity(np.array([[1, 1], [1, 0], [0, 0], [1, 1]], bool))
    >>> float(found.observed[0, 1]), float(found.independent[0, 1])
    (0.75, 0.5)
    """
    scores = np.asarray(items)
    if scores.ndim != 2 or len(scores) == 0:
        raise UsageError("Similarity needs scores of the shape (items, models).")
    # Right and wrong are counted exactly in single precision, up to 2^24 items.
    kind: Any = np.float32 if scores.dtype.kind == "b" else np.float64
    z = scores.astype(kind)
    both = (z.T @ z).astype(np.float64) / len(z)
    p = z.mean(axis=0, dtype=np.float64)
    observed = 1 - p[:, None] - p[None, :] + 2 * both
    independent = p[:, None] * p[None, :] + (1 - p[:, None]) * (1 - p[None, :])
    return Similarity(observed, independent, p[None, :] - both)


@dataclass(frozen=True)
class Simultaneous:
    """Intervals that hold for all models at once.

    Attributes:
        low: Lower ends, shape (m,).
        high: Upper ends, shape (m,).
        quantile: How many standard errors they reach; 1.96 would be that of one model.
        effective_number: The number of independent models that would need the same quantile;
            NaN where it cannot be told.
    """

    low: Floats
    high: Floats
    quantile: float
    effective_number: float


def simultaneous_intervals(
    observed: npt.ArrayLike, resampled: npt.ArrayLike, level: float = 0.95
) -> Simultaneous:
    """Simultaneous intervals by the max-|t| bootstrap, and the effective number of models.

    q is the quantile of max_i |A*_i − A_i| / se_i over resamples; the interval of model i is
    A_i ± q·se_i. For the effective number the one-sided maximum is taken, whose quantile q₁ of
    m_eff independent normals would satisfy Φ(q₁)^m_eff = level.

    Args:
        observed: Accuracies, shape (m,).
        resampled: Resampled accuracies, shape (resamples, m), the same resample for all models.
        level: The confidence level, in (0, 1).

    >>> rng = np.random.default_rng(0)
    >>> alike = np.repeat(rng.normal(size=(4000, 1)), 5, axis=1)
    >>> other = rng.normal(size=(4000, 5))
    >>> [round(simultaneous_intervals(np.zeros(5), x).effective_number) for x in (alike, other)]
    [1, 5]
    """
    centre, drawn = np.asarray(observed, np.float64), np.asarray(resampled, np.float64)
    error = drawn.std(axis=0)
    moves = error > 1e-12
    if not moves.any():
        return Simultaneous(centre, centre, float("nan"), float("nan"))
    t = (drawn[:, moves] - drawn[:, moves].mean(axis=0)) / error[moves]
    quantile = float(np.quantile(np.abs(t).max(axis=1), level))
    one_sided = float(np.quantile(t.max(axis=1), level))
    count = float(np.log(level) / np.log(special.ndtr(one_sided)))
    # Between one and all of them: outside lies only the bootstrap's own noise.
    number = min(max(count, 1.0), float(moves.sum()))
    return Simultaneous(centre - quantile * error, centre + quantile * error, quantile, number)
