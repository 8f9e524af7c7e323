"""Competitions as replications: public leaderboards against private ones.

Roelofs et al. (2019), "A Meta-Analysis of Overfitting in Machine Learning": each competition has a
public score of every team, seen again and again, and a private one, seen once. Overfitting would
show as a public-minus-private gap that is large for the best teams.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from replicate.analysis.intervals import Interval
from replicate.analysis.ranks import kendall_tau_b, spearman
from replicate.base.errors import UsageError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Competition:
    """One competition's teams.

    Attributes:
        name: The competition.
        public: Scores on the public part, higher is better, shape (teams,).
        private: Scores on the private part, likewise.
        n_public: Items of the public part; None if not known.
        n_private: Items of the private part; None if not known.
    """

    name: str
    public: Floats
    private: Floats
    n_public: int | None = None
    n_private: int | None = None


@dataclass(frozen=True)
class CompetitionResult:
    """What one competition shows. Gaps are public − private: positive is a drop.

    Attributes:
        name: The competition.
        n_teams: How many teams have both scores.
        slope: Of private on public scores (least squares); NaN where there is none.
        r2: Its R²; NaN where there is none.
        spearman: Rank correlation; NaN where there is none.
        kendall: Kendall's τ_b; NaN where there is none.
        gap: The mean gap over all teams.
        gap_ci: Its Student's t interval over teams; None with fewer than three.
        top_gap: The mean gap over the best tenth by public score (at least one team).
        top_gap_ci: Its interval; None with fewer than three teams in the tenth.
        excess: top_gap minus the mean gap of all other teams; NaN without others.
        top_kept: The share of the public best tenth that is in the private best tenth.
        winner_place: The private place of the public winner, 1 is best.
        noise: Standard error that sampling alone gives the gap of one team, for shares of right
            items; NaN where sizes are not known or scores are no shares.
    """

    name: str
    n_teams: int
    slope: float
    r2: float
    spearman: float
    kendall: float
    gap: float
    gap_ci: Interval | None
    top_gap: float
    top_gap_ci: Interval | None
    excess: float
    top_kept: float
    winner_place: int
    noise: float


@dataclass(frozen=True)
class MetaSummary:
    """A summary over competitions, each counted by its precision.

    Attributes:
        n: Competitions with an interval.
        mean: The mean over competitions (random effects).
        interval: Its interval.
        between_sd: Standard deviation between competitions (τ of DerSimonian and Laird).
        i2: Share of the variance that lies between competitions, in [0, 1].
    """

    n: int
    mean: float
    interval: Interval
    between_sd: float
    i2: float


def t_interval(values: npt.ArrayLike, level: float = 0.95) -> Interval | None:
    """Student's t interval of a mean; None with fewer than three values.

    >>> found = t_interval([1.0, 2.0, 3.0])
    >>> round(found.low, 3), round(found.high, 3)
    (-0.484, 4.484)
    """
    x = np.asarray(values, np.float64)
    if x.size < 3:
        return None
    half = float(special.stdtrit(x.size - 1, (1 + level) / 2) * x.std(ddof=1) / np.sqrt(x.size))
    return Interval(float(x.mean()) - half, float(x.mean()) + half, level)


def competition(data: Competition, level: float = 0.95) -> CompetitionResult:
    """Analyse one competition.

    Args:
        data: Its teams; those without both scores are not regarded.
        level: The confidence level, in (0, 1).

    Raises:
        UsageError: No team has both scores.

    >>> found = competition(Competition("c", np.arange(20.0), np.arange(20.0) - 1))
    >>> found.gap, found.slope, found.winner_place, found.top_kept
    (1.0, 1.0, 1, 1.0)
    """
    both = np.isfinite(data.public) & np.isfinite(data.private)
    x, y = data.public[both], data.private[both]
    count = x.size
    if count == 0:
        raise UsageError(f"No team of {data.name} has both scores.")
    top = max(1, round(count / 10))
    best = np.argsort(-x, kind="stable")[:top]
    private_best = np.argsort(-y, kind="stable")[:top]
    rest = np.setdiff1d(np.arange(count), best)
    gap = x - y
    dx = x - x.mean()
    spread, total = float(dx @ dx), float(((y - y.mean()) ** 2).sum())
    nan = float("nan")
    slope = float(dx @ y) / spread if count > 1 and spread > 0 else nan
    r2 = slope**2 * spread / total if total > 0 and np.isfinite(slope) else nan
    return CompetitionResult(
        data.name,
        count,
        slope,
        r2,
        spearman(x, y) if count > 1 else nan,
        kendall_tau_b(x, y) if count > 1 else nan,
        float(gap.mean()),
        t_interval(gap, level),
        float(gap[best].mean()),
        t_interval(gap[best], level),
        float(gap[best].mean() - gap[rest].mean()) if rest.size else nan,
        float(np.isin(best, private_best).mean()),
        int((y > y[best[0]]).sum()) + 1,
        _noise(data, x, y),
    )


def _noise(data: Competition, x: Floats, y: Floats) -> float:
    shares = np.concatenate([x, y])
    if not data.n_public or not data.n_private or shares.min() < 0 or shares.max() > 1:
        return float("nan")
    variance = x * (1 - x) / data.n_public + y * (1 - y) / data.n_private
    return float(np.sqrt(variance.mean()))


def meta_summary(
    estimates: Sequence[float], intervals: Sequence[Interval | None], level: float = 0.95
) -> MetaSummary | None:
    """The mean over competitions by random effects (DerSimonian and Laird 1986).

    Args:
        estimates: One a competition.
        intervals: Their intervals; those without one, or of no width, are left out.
        level: The confidence level, in (0, 1).

    Returns:
        None with fewer than two competitions.

    >>> both = [Interval(0.8, 1.2), Interval(0.8, 1.2)]
    >>> found = meta_summary([1.0, 1.0], both)
    >>> round(found.mean, 3), round(found.interval.low, 3), found.between_sd
    (1.0, 0.859, 0.0)
    """
    z = float(special.ndtri((1 + level) / 2))
    pairs = [
        (float(e), (i.high - i.low) / (2 * z))
        for e, i in zip(estimates, intervals, strict=True)
        if i is not None and i.high > i.low and np.isfinite(e)
    ]
    if len(pairs) < 2:
        return None
    effect, error = (np.array(side) for side in zip(*pairs, strict=True))
    weight = 1 / error**2
    fixed = float((weight * effect).sum() / weight.sum())
    q = float((weight * (effect - fixed) ** 2).sum())
    freedom = len(pairs) - 1
    scale = float(weight.sum() - (weight**2).sum() / weight.sum())
    between = max((q - freedom) / scale, 0.0)
    weight = 1 / (error**2 + between)
    mean = float((weight * effect).sum() / weight.sum())
    half = z / float(np.sqrt(weight.sum()))
    i2 = max((q - freedom) / q, 0.0) if q > 0 else 0.0
    return MetaSummary(
        len(pairs), mean, Interval(mean - half, mean + half, level), float(np.sqrt(between)), i2
    )
