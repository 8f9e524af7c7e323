"""Straight lines of new against original accuracy, on three scales.

Many models' accuracies lie on a line when both axes are stretched by the same function: none
(linear), the normal quantile (probit) or the log odds (logit). Recht et al. (2019) fitted
probit and linear lines; the slope depends on the scale and on the zoo, so both are stated.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from scipy import special

from replicate.base.errors import UsageError

Floats = npt.NDArray[np.float64]
Scale = Literal["linear", "probit", "logit"]
SCALES: tuple[Scale, ...] = get_args(Scale)


@dataclass(frozen=True)
class Clipped:
    """Accuracies that every scale can take.

    Attributes:
        values: The accuracies, each within [0.5/n, 1 − 0.5/n].
        n_clipped: How many of them were outside.
    """

    values: Floats
    n_clipped: int


@dataclass(frozen=True)
class LineFit:
    """A least-squares line: f(new) = slope · f(original) + intercept.

    Attributes:
        scale: Which f: ``linear``, ``probit`` or ``logit``.
        slope: The slope on that scale.
        intercept: The intercept on that scale.
        r2: The share of the new accuracies' variance, on that scale, that the line explains;
            NaN if they are all the same.
        residual_sd_points: Standard deviation (n − 2 degrees of freedom) of new accuracy minus
            the line's prediction, in percentage points of accuracy, whatever the scale.
        n: The number of models.
        n_clipped: How many models had an accuracy clipped before it was transformed.
    """

    scale: Scale
    slope: float
    intercept: float
    r2: float
    residual_sd_points: float
    n: int
    n_clipped: int = 0

    def predict(self, original: npt.ArrayLike) -> Floats:
        """The accuracies on the new set that the line predicts.

        Args:
            original: Accuracies on the original, fractions; within (0, 1) on the probit and
                logit scales.

        Returns:
            Accuracies, of the same shape; on the linear scale they may leave [0, 1].

        >>> fit = LineFit("linear", 1.5, -0.5, 1.0, 0.0, 3)
        >>> fit.predict([0.8, 0.9]).round(3).tolist()
        [0.7, 0.85]
        """
        x = to_scale(original, self.scale)
        return from_scale(self.slope * x + self.intercept, self.scale)


def clip_accuracy(accuracy: npt.ArrayLike, n: npt.ArrayLike) -> Clipped:
    """Pull accuracies of 0 and 1 half an image inwards, so that no scale sends them to infinity.

    Args:
        accuracy: Fractions in [0, 1], any shape.
        n: The number of images that each was measured on; a number or the same shape.

    Raises:
        UsageError: An accuracy is outside [0, 1] or n is not positive.

    >>> clipped = clip_accuracy([0.5, 1.0], 10)
    >>> clipped.values.tolist(), clipped.n_clipped
    ([0.5, 0.95], 1)
    """
    values, images = np.asarray(accuracy, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if np.any(images < 1):
        raise UsageError("An accuracy must have been measured on at least one image.")
    if not np.all((values >= 0) & (values <= 1)):
        raise UsageError("Accuracies are fractions between 0 and 1.")
    within = np.clip(values, 0.5 / images, 1 - 0.5 / images)
    return Clipped(within, int(np.count_nonzero(within != values)))


def to_scale(accuracy: npt.ArrayLike, scale: Scale) -> Floats:
    """Accuracies on a scale: themselves, their normal quantiles or their log odds.

    Raises:
        UsageError: There is no such scale.

    >>> to_scale([0.5, 0.975], "probit").round(2).tolist()
    [0.0, 1.96]
    """
    values = np.asarray(accuracy, dtype=np.float64)
    if scale == "linear":
        return values
    if scale == "probit":
        return np.asarray(special.ndtri(values), dtype=np.float64)
    if scale == "logit":
        return np.asarray(special.logit(values), dtype=np.float64)
    raise UsageError(f"There is no scale {scale!r}.", f"Use one of: {', '.join(SCALES)}.")


def from_scale(values: npt.ArrayLike, scale: Scale) -> Floats:
    """Values of a scale as accuracies again; the inverse of ``to_scale``.

    >>> from_scale(to_scale([0.2, 0.9], "logit"), "logit").round(6).tolist()
    [0.2, 0.9]
    """
    stretched = np.asarray(values, dtype=np.float64)
    if scale == "linear":
        return stretched
    if scale == "probit":
        return np.asarray(special.ndtr(stretched), dtype=np.float64)
    if scale == "logit":
        return np.asarray(special.expit(stretched), dtype=np.float64)
    raise UsageError(f"There is no scale {scale!r}.", f"Use one of: {', '.join(SCALES)}.")


def line_fit(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    scale: Scale = "linear",
    *,
    n_x: npt.ArrayLike | None = None,
    n_y: npt.ArrayLike | None = None,
) -> LineFit:
    """The ordinary least-squares line of new on original accuracy.

    Args:
        x: Accuracies on the original, one a model, fractions in [0, 1].
        y: Accuracies on the new set, of the same models in the same order.
        scale: The scale that both axes are put on first.
        n_x: Images of the original; given, the accuracies are clipped (``clip_accuracy``).
        n_y: Images of the new set; likewise.

    Raises:
        UsageError: Fewer than two models, lengths that differ, original accuracies that are
            all the same, or an accuracy of 0 or 1 on a scale that has no place for it.

    >>> fit = line_fit([0.80, 0.90, 1.00], [0.70, 0.85, 1.00])
    >>> round(fit.slope, 6), round(fit.intercept, 6), round(fit.r2, 6)
    (1.5, -0.5, 1.0)
    """
    original, new = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if original.ndim != 1 or original.shape != new.shape or original.size < 2:
        raise UsageError("A line needs the original and new accuracies of at least two models.")
    n_clipped = 0
    if scale != "linear":
        inside_x = original if n_x is None else clip_accuracy(original, n_x).values
        inside_y = new if n_y is None else clip_accuracy(new, n_y).values
        n_clipped = int(np.count_nonzero((inside_x != original) | (inside_y != new)))
        original, new = inside_x, inside_y
    u, v = to_scale(original, scale), to_scale(new, scale)
    if not (np.all(np.isfinite(u)) and np.all(np.isfinite(v))):
        raise UsageError(
            f"An accuracy of 0 or 1 has no place on the {scale} scale.",
            "Say how many images there were (n_x, n_y), so that it is clipped.",
        )
    du, dv = u - u.mean(), v - v.mean()
    spread = float(du @ du)
    if spread <= 1e-24:
        raise UsageError("All models have the same accuracy on the original: no line fits.")
    slope = float(du @ dv) / spread
    intercept = float(v.mean() - slope * u.mean())
    residual, total = v - (slope * u + intercept), float(dv @ dv)
    r2 = 1 - float(residual @ residual) / total if total > 1e-24 else float("nan")
    points = 100 * (new - from_scale(slope * u + intercept, scale))
    freedom = original.size - 2
    sd = float(np.sqrt(points @ points / freedom)) if freedom > 0 else float("nan")
    return LineFit(scale, slope, intercept, r2, sd, int(original.size), n_clipped)
