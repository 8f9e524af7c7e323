"""Is a model that is robust to one kind of shift robust to another?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from replicate.analysis.intervals import Interval
from replicate.analysis.ranks import spearman
from replicate.base.randomness import stream

Floats = npt.NDArray[np.float64]
LEAST = 5  # models below which a correlation has no interval


@dataclass(frozen=True)
class KindsTogether:
    """Effective robustness on shifts of one kind beside that on shifts of another.

    Attributes:
        kinds: The two kinds, such as natural and synthetic; or one kind twice: each shift of the
            kind beside the mean of its others.
        n_shifts: Shifts of either.
        n_models: Models with effective robustness on all of them.
        pearson: Correlation of the models' mean ρ; NaN with fewer than three.
        spearman: The rank correlation; NaN likewise.
        interval: Pearson's interval over models; None with fewer than five.
    """

    kinds: tuple[str, str]
    n_shifts: tuple[int, int]
    n_models: int
    pearson: float
    spearman: float
    interval: Interval | None


def kinds_together(
    rho: Mapping[str, Mapping[str, float]],
    kind: Mapping[str, str],
    seed: int,
    *,
    resamples: int = 10_000,
    level: float = 0.95,
) -> tuple[KindsTogether, ...]:
    """Correlate models' mean effective robustness between kinds of shift.

    Taori et al. (2020) found that robustness to synthetic shifts hardly tells robustness to
    natural ones (their section 4). Means over shifts of a kind come first, so that kinds with
    many shifts do not count more.

    Args:
        rho: Shift → model → effective robustness, a fraction.
        kind: Shift → its kind; shifts without one are left out.
        seed: The seed of the resamples over models.
        resamples: How many.
        level: The confidence level, in (0, 1).

    Returns:
        One for each two kinds; nothing where there is only one kind.

    >>> models = "abcdef"
    >>> near = {m: i / 100 for i, m in enumerate(models)}
    >>> rho = {"v2": near, "blur": {m: -x for m, x in near.items()}}
    >>> found = kinds_together(rho, {"v2": "natural", "blur": "synthetic"}, 1, resamples=100)
    >>> found[0].kinds, round(found[0].pearson, 3)
    (('natural', 'synthetic'), -1.0)
    """
    shifts = [name for name in rho if name in kind]
    kinds = sorted({kind[name] for name in shifts})
    models = [
        model
        for model in (rho[shifts[0]] if shifts else ())
        if all(np.isfinite(rho[name].get(model, np.nan)) for name in shifts)
    ]
    means = {
        one: np.array(
            [np.mean([rho[name][m] for name in shifts if kind[name] == one]) for m in models]
        )
        for one in kinds
    }
    count = {one: sum(kind[name] == one for name in shifts) for one in kinds}
    found = []
    for i, first in enumerate(kinds):
        for second in kinds[i + 1 :]:
            u, v = means[first], means[second]
            pearson, rank = correlations(u, v)
            interval = None
            if np.isfinite(pearson) and len(models) >= LEAST:
                interval = correlation_interval(
                    u, v, stream(seed, "shifts", first, second), resamples, level
                )
            found.append(
                KindsTogether(
                    (first, second), (count[first], count[second]), len(models), pearson, rank,
                    interval,
                )
            )  # fmt: skip
    return tuple(found)


def correlations(u: Floats, v: Floats) -> tuple[float, float]:
    """Pearson's and Spearman's correlation; NaN with fewer than three or without spread.

    >>> correlations(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))[1]
    1.0
    """
    if len(u) < 3 or np.ptp(u) < 1e-12 or np.ptp(v) < 1e-12:
        return float("nan"), float("nan")
    return float(np.corrcoef(u, v)[0, 1]), spearman(u, v)


def correlation_interval(
    u: Floats, v: Floats, generator: np.random.Generator, resamples: int, level: float
) -> Interval | None:
    """Percentiles of Pearson's correlation over resampled models, on Fisher's scale.

    Args:
        u: One side, shape (m,).
        v: The other.
        generator: Where the resamples come from.
        resamples: How many.
        level: The confidence level, in (0, 1).

    Returns:
        None where half of the resamples or more have no correlation.
    """
    at = generator.integers(len(u), size=(resamples, len(u)))
    a, b = u[at] - u[at].mean(axis=1, keepdims=True), v[at] - v[at].mean(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        r = (a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    r = np.clip(r[np.isfinite(r)], -0.999999, 0.999999)
    if r.size < 0.5 * resamples:
        return None
    low, high = np.tanh(np.quantile(np.arctanh(r), [(1 - level) / 2, (1 + level) / 2]))
    return Interval(float(low), float(high), level)
