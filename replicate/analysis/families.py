"""Lines over families of models: models of one family are not independent witnesses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from replicate.analysis.bootstrap import LEAST_MODELS
from replicate.analysis.intervals import Interval
from replicate.analysis.joint import small_sample_factor
from replicate.base.errors import UsageError
from replicate.base.randomness import stream

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class FamilyLine:
    """A line whose uncertainty is that of families.

    Attributes:
        n_families: Families among the models.
        sizes: Family → how many models.
        slope: The slope over all models.
        interval: Its interval over families (whole families resampled, widened for their small
            number); None with fewer than four, or where resamples have no line.
        means_slope: The slope through the families' mean places; NaN with fewer than two.
        within_slope: The slope inside families (models minus their family's mean); NaN where no
            family has two models that differ.
        without: Family → the slope without it; NaN where no line is left.
    """

    n_families: int
    sizes: Mapping[str, int]
    slope: float
    interval: Interval | None
    means_slope: float
    within_slope: float
    without: Mapping[str, float]


def family_line(
    u: npt.ArrayLike,
    v: npt.ArrayLike,
    families: Sequence[str],
    seed: int,
    *names: str | int,
    resamples: int = 10_000,
    level: float = 0.95,
) -> FamilyLine:
    """The least-squares slope of v on u with families as the units.

    Resampling models one by one takes forty variants of one architecture for forty witnesses.
    Here whole families are drawn with replacement (a cluster bootstrap; Cameron, Gelbach and
    Miller 2008), and the deviations widened by Student's t for the number of families.

    Args:
        u: Original accuracies on a scale, shape (m,).
        v: New accuracies on the same scale, shape (m,).
        families: Each model's family, m names.
        seed: The seed of the resamples.
        *names: What the resampling is for.
        resamples: How many.
        level: The confidence level, in (0, 1).

    Raises:
        UsageError: The lists differ in length, or are empty.

    >>> u = np.arange(8.0)
    >>> found = family_line(u, 2 * u, list("aabbccdd"), 1, resamples=200)
    >>> found.n_families, round(found.slope, 6), round(found.without["a"], 6)
    (4, 2.0, 2.0)
    """
    x, y = np.asarray(u, np.float64), np.asarray(v, np.float64)
    if not x.shape == y.shape == (len(families),) or x.size == 0:
        raise UsageError("A line over families needs models, and one family for each.")
    kinds, member = np.unique(np.asarray(families, dtype=object).astype(str), return_inverse=True)
    indicator = np.eye(len(kinds))[member]
    counts = indicator.sum(axis=0)
    slope = float(_slopes(x, y, np.ones((1, len(x))))[0])
    means = [indicator.T @ side / np.maximum(counts, 1) for side in (x, y)]
    inner = [side - mean[member] for side, mean in zip((x, y), means, strict=True)]
    one_less = _slopes(x, y, 1 - indicator.T) if len(kinds) > 1 else np.full(len(kinds), np.nan)
    drawn = stream(seed, "families", *names)
    one = np.ones((1, len(x)))
    return FamilyLine(
        n_families=len(kinds),
        sizes={str(kind): int(n) for kind, n in zip(kinds, counts, strict=True)},
        slope=slope,
        interval=_interval(x, y, indicator, slope, drawn, resamples, level),
        means_slope=float(_slopes(means[0], means[1], np.ones((1, len(kinds))))[0]),
        within_slope=float(_slopes(inner[0], inner[1], one)[0]),
        without={str(kind): float(s) for kind, s in zip(kinds, one_less, strict=True)},
    )


def _slopes(x: Floats, y: Floats, weights: Floats) -> Floats:
    """The slope under each row of weights; NaN where it has none."""
    a, b = x - x.mean(), y - y.mean()
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        xx = weights @ (a * a) - (weights @ a) ** 2 / total
        xy = weights @ (a * b) - (weights @ a) * (weights @ b) / total
        scale = max(float(a @ a), 1e-300)
        return np.where(xx > 1e-12 * scale, xy / xx, np.nan)


def _interval(
    x: Floats,
    y: Floats,
    indicator: Floats,
    slope: float,
    generator: np.random.Generator,
    resamples: int,
    level: float,
) -> Interval | None:
    count = indicator.shape[1]
    if count < LEAST_MODELS or not np.isfinite(slope):
        return None
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=resamples)
    slopes = _slopes(x, y, drawn.astype(np.float64) @ indicator.T)
    slopes = slopes[np.isfinite(slopes)]
    if slopes.size < 0.9 * resamples:
        return None
    wide = small_sample_factor(count, 2, level)
    centre = float(np.median(slopes))
    low, high = np.quantile(slopes, [(1 - level) / 2, (1 + level) / 2])
    return Interval(slope + wide * (low - centre), slope + wide * (high - centre), level)
