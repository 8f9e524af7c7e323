"""Who lies above the line: effective robustness, and how much a line hangs on single models.

Taori et al. (2020), "Measuring Robustness to Natural Distribution Shifts in Image
Classification": effective robustness is a model's accuracy on the new set minus what the line of
the baseline models predicts from its accuracy on the original.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from replicate.analysis.bootstrap import Resamples, on_scale
from replicate.analysis.fits import Scale, from_scale
from replicate.base.errors import UsageError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Influence:
    """What single models do to a line.

    Attributes:
        slopes: The slope without each model, shape (n,); NaN where no line is left.
        leverage: Each model's leverage, in (0, 1]; shape (n,). They sum to 2.
        cook: Cook's distance of each model, shape (n,).
    """

    slopes: Floats
    leverage: Floats
    cook: Floats

    @property
    def influential(self) -> npt.NDArray[np.bool_]:
        """Models with more than three times the mean leverage, or a Cook's distance above 1."""
        return np.asarray((self.leverage > 6 / len(self.leverage)) | (self.cook > 1))


def theil_sen(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[float, float]:
    """The line that outliers do not move: median of all pairs' slopes (Theil 1950, Sen 1968).

    Args:
        x: One value a model (on the scale of the fit).
        y: Likewise.

    Returns:
        Slope, and intercept (the median of y minus slope times the median of x); NaN where all x
        are the same.

    >>> theil_sen([0, 1, 2, 3, 4], [0, 2, 4, 6, 80])
    (2.0, 0.0)
    """
    u, v = np.asarray(x, np.float64), np.asarray(y, np.float64)
    i, j = np.triu_indices(u.size, k=1)
    apart = u[i] != u[j]
    if not apart.any():
        return float("nan"), float("nan")
    i, j = i[apart], j[apart]
    slope = float(np.median((v[j] - v[i]) / (u[j] - u[i])))
    return slope, float(np.median(v) - slope * np.median(u))


def influence(x: npt.ArrayLike, y: npt.ArrayLike) -> Influence:
    """Leave-one-out slopes, leverages and Cook's distances of a least-squares line.

    h_i = 1/n + (x_i − x̄)²/Sxx; the slope without i is b − (x_i − x̄) e_i / (Sxx (1 − h_i));
    D_i = e_i² h_i / (2 s² (1 − h_i)²) (Cook 1977).

    Args:
        x: One value a model (on the scale of the fit).
        y: Likewise.

    Raises:
        UsageError: Fewer than three models, or all x the same.

    >>> found = influence([0.0, 1.0, 2.0, 10.0], [0.0, 1.0, 2.0, 20.0])
    >>> round(float(found.slopes[3]), 6), bool(found.influential[3])
    (1.0, True)
    """
    u, v = np.asarray(x, np.float64), np.asarray(y, np.float64)
    du = u - u.mean()
    spread = float(du @ du)
    if u.size < 3 or spread <= 1e-24:
        raise UsageError("Influence needs at least three models that differ on the original.")
    slope = float(du @ v) / spread
    residual = v - v.mean() - slope * du
    leverage = 1 / u.size + du**2 / spread
    rest = 1 - leverage
    alone = rest < 1e-9  # without it, all others have one accuracy
    rest = np.where(alone, 1.0, rest)
    slopes = np.where(alone, np.nan, slope - du * residual / (spread * rest))
    variance = max(float(residual @ residual) / max(u.size - 2, 1), 1e-300)
    cook = np.where(alone, np.inf, residual**2 * leverage / (2 * variance * rest**2))
    if float(residual @ residual) <= 1e-20 * max(float(v @ v), 1e-300):
        cook = np.where(alone, np.inf, 0.0)  # a perfect line hangs on nobody
    return Influence(slopes, leverage, cook)


def effective_robustness(
    original: Resamples,
    new: Resamples,
    baseline: npt.ArrayLike,
    scale: Scale,
    weights: npt.ArrayLike | None = None,
) -> Floats:
    """ρ of every model in every resample; a model is left out of the line that judges it.

    Args:
        original: Resamples of the original (``observed`` is not used).
        new: Those of the new set, of the same models.
        baseline: True for the models that lines are fitted on, shape (m,).
        scale: The scale of the line.
        weights: How often each model is drawn in each resample, shape (resamples, m); without
            them once each.

    Returns:
        Shape (resamples, m), in fractions of accuracy; NaN where no line is left.

    >>> x = np.array([[0.6, 0.7, 0.8, 0.9]])
    >>> sides = [Resamples(a[0], a, 100) for a in (x, np.array([[0.5, 0.6, 0.7, 0.85]]))]
    >>> effective_robustness(*sides, [True, True, True, False], "linear")[0, 3].round(3)
    np.float64(0.05)
    """
    mask = np.asarray(baseline, bool)
    u = on_scale(original.accuracy, original.n_images, scale)
    v = on_scale(new.accuracy, new.n_images, scale)
    w = np.broadcast_to(mask.astype(np.float64), u.shape)
    if weights is not None:
        w = w * np.asarray(weights, np.float64)
    if not mask.any():
        return np.full(u.shape, np.nan)
    # Centred first: the sums without one model are differences, which would cancel.
    u0, v0 = u[:, mask].mean(), v[:, mask].mean()
    a, b = u - u0, v - v0
    total = w.sum(axis=1, keepdims=True) - w
    sum_a, sum_b = ((w * c).sum(axis=1, keepdims=True) - w * c for c in (a, b))
    sum_aa, sum_ab = ((w * c).sum(axis=1, keepdims=True) - w * c for c in (a * a, a * b))
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = sum_aa - sum_a**2 / total
        slope = np.where(spread > 1e-10, (sum_ab - sum_a * sum_b / total) / spread, np.nan)
        predicted = (sum_b - slope * sum_a) / total + slope * a + v0
    return np.asarray(new.accuracy - from_scale(predicted, scale), dtype=np.float64)
