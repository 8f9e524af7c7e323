"""Which scale is the straightest, and whether a line has a bend."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from replicate.analysis.fits import Scale, from_scale

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Piecewise:
    """Two lines that meet, beside one line.

    Attributes:
        scale: The scale of both axes.
        bend: Where they meet, as accuracy on the original.
        slopes: The slope below and above it, on the scale.
        p: p-value of the bend: an F test with two further parameters, which is rough, for the
            place of the bend was searched for.
    """

    scale: Scale
    bend: float
    slopes: tuple[float, float]
    p: float


def prediction_error(u: npt.ArrayLike, v: npt.ArrayLike, scale: Scale) -> float:
    """How well a line of all other models predicts each model, in points of accuracy.

    The root of the mean squared leave-one-out error (PRESS, Allen 1974), taken back to accuracy,
    so that scales can be compared.

    Args:
        u: Original accuracies on the scale, shape (n,).
        v: New accuracies on the scale, shape (n,).
        scale: The scale.

    Returns:
        Points; NaN with fewer than three models or where no line is left.

    >>> prediction_error([0.1, 0.2, 0.4], [0.2, 0.3, 0.5], "linear") < 1e-9
    True
    """
    x, y = np.asarray(u, np.float64), np.asarray(v, np.float64)
    dx = x - x.mean()
    spread = float(dx @ dx)
    if x.size < 3 or spread <= 1e-24:
        return float("nan")
    slope = float(dx @ y) / spread
    residual = y - y.mean() - slope * dx
    rest = 1 - (1 / x.size + dx**2 / spread)
    if np.any(rest < 1e-9):
        return float("nan")
    error = from_scale(y, scale) - from_scale(y - residual / rest, scale)
    return float(100 * np.sqrt((error**2).mean()))


def piecewise(u: npt.ArrayLike, v: npt.ArrayLike, scale: Scale) -> Piecewise | None:
    """The best continuous fit of two lines, as for adversarially filtered sets.

    y = a + b·x + c·max(x − t, 0), with t searched over the models' own places, three models or
    more on either side.

    Args:
        u: Original accuracies on the scale, shape (n,).
        v: New accuracies on the scale, shape (n,).
        scale: The scale.

    Returns:
        None with fewer than eight models, or where no place for a bend is left.

    >>> x = np.linspace(0, 1, 21)
    >>> found = piecewise(x, np.maximum(x - 0.5, 0) * 2, "linear")
    >>> round(found.bend, 3), [round(s, 3) for s in found.slopes], found.p < 0.001
    (0.5, [0.0, 2.0], True)
    """
    x, y = np.asarray(u, np.float64), np.asarray(v, np.float64)
    places = np.unique(x)
    places = places[[np.sum(x < t) >= 3 and np.sum(x > t) >= 3 for t in places]]
    if x.size < 8 or places.size == 0:
        return None
    one = np.stack([np.ones(x.size), x], axis=1)
    straight = _rss(one, y)[0]
    fits = [_rss(np.column_stack([one, np.maximum(x - t, 0)]), y) for t in places]
    best = int(np.argmin([rss for rss, _ in fits]))
    rss, beta = fits[best]
    freedom = x.size - 4
    gain = max(straight - rss, 0.0) / 2
    f = gain / max(rss / freedom, 1e-300)
    p = float(special.fdtrc(2, freedom, f))
    bend = float(from_scale(places[best], scale))
    return Piecewise(scale, bend, (float(beta[1]), float(beta[1] + beta[2])), p)


def _rss(design: Floats, y: Floats) -> tuple[float, Floats]:
    beta = np.asarray(np.linalg.lstsq(design, y, rcond=None)[0], dtype=np.float64)
    residual = y - design @ beta
    return float(residual @ residual), beta
