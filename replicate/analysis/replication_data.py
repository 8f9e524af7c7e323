"""The records of an analysis: options in, results out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from replicate.analysis.bootstrap import Kind, Resamples
from replicate.analysis.equivalence import Equivalence, PairedGap
from replicate.analysis.fits import LineFit, Scale
from replicate.analysis.intervals import Interval
from replicate.analysis.ranks import Inversions
from replicate.analysis.robustness import Influence
from replicate.analysis.scales import Piecewise
from replicate.analysis.scores import Scores
from replicate.analysis.similarity import Similarity, Simultaneous
from replicate.analysis.subgroups import ClassGap, Trend

Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Options:
    """How to analyse.

    Attributes:
        baseline: The models that lines are fitted on; None for all.
        human: Rows that are people: drawn, never fitted, never averaged.
        scale: The scale of effective robustness.
        seed: The seed of all resamples.
        resamples: How many.
        level: The confidence level, in (0, 1).
        margin: A gap within ±margin would not matter (a fraction); None to test nothing.
        pairs: New set → (items of the original, items of the new set) that are matched.
        dates: Model → when it was released, in years.
    """

    baseline: frozenset[str] | None = None
    human: frozenset[str] = frozenset()
    scale: Scale = "logit"
    seed: int = 0
    resamples: int = 10_000
    level: float = 0.95
    margin: float | None = None
    pairs: Mapping[str, tuple[Index, Index]] = field(default_factory=dict)
    dates: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelOnSet:
    """One model on one set; None stands for what cannot be known.

    Attributes:
        n: Items.
        correct: The sum of their scores: right items.
        accuracy: The score.
        interval: Clopper–Pearson for counts, the bootstrap's for other scores and for groups.
        simultaneous: The interval that holds for all models of the set at once.
    """

    n: int | None
    correct: float | None
    accuracy: float
    interval: Interval | None
    simultaneous: Interval | None = None


@dataclass(frozen=True)
class Line:
    """A line on one scale, and what it hangs on.

    Attributes:
        fit: The least-squares line.
        slope: Its slope's intervals by what was resampled; None where they cannot be had.
        intercept: The intercept's.
        theil_sen: Slope and intercept of the line that outliers do not move.
        without: Model → the slope without it; empty with fewer than three models.
        influence: Leverages and distances; None with fewer than three models.
        error_points: Root mean squared error, in points, of predicting each model from the
            others' line: the scale with the smallest is the straightest. NaN if unknown.
    """

    fit: LineFit
    slope: Mapping[Kind, Interval | None]
    intercept: Mapping[Kind, Interval | None]
    theil_sen: tuple[float, float]
    without: Mapping[str, float]
    influence: Influence | None
    error_points: float


@dataclass(frozen=True)
class Pair:
    """A new set beside the original.

    Attributes:
        original: The original's name.
        new: The new set's name.
        models: The models on both, without people.
        humans: The rows on both that are people.
        baseline: The models that lines are fitted on.
        mean_drop: Mean gap over the models, original − new; NaN without models.
        mean_drop_ci: Its intervals.
        gaps: Model → gap and interval (None where the number of items is not known).
        lines: Scale → line; None where no line fits.
        spearman: Spearman's correlation; NaN where there is none.
        kendall: Kendall's τ_b; NaN where there is none.
        inverted: Pairs of models, and those in opposite order on the two sets.
        inversions: The pairs in detail; None without right answers item by item.
        robustness: Model → ρ and its interval over images and baseline models, and over images.
        equivalence: Whether the mean gap lies within the margin; None if it was not asked.
        paired: Model → gap on matched items; empty without pairs.
        paired_drop: Mean gap on matched items and its interval over them; None without pairs.
        piecewise: A line with a bend; None where it cannot be fitted.
        classes: The gap of every class; empty where classes are not known.
        trend: Effective robustness against the date of release; None without dates.
    """

    original: str
    new: str
    models: tuple[str, ...]
    humans: tuple[str, ...]
    baseline: tuple[str, ...]
    mean_drop: float
    mean_drop_ci: Mapping[Kind, Interval | None]
    gaps: Mapping[str, tuple[float, Interval | None]]
    lines: Mapping[Scale, Line | None]
    spearman: float
    kendall: float
    inverted: tuple[int, int]
    inversions: Inversions | None
    robustness: Mapping[str, tuple[float, Interval | None, Interval | None]]
    equivalence: Equivalence | None = None
    paired: Mapping[str, PairedGap] = field(default_factory=dict)
    paired_drop: tuple[float, Interval, int] | None = None
    piecewise: Piecewise | None = None
    classes: tuple[ClassGap, ...] = ()
    trend: Trend | None = None


@dataclass(frozen=True)
class SetSimilarity:
    """How alike the models are on one set: matrices, and the effective number of models."""

    models: tuple[str, ...]
    matrices: Similarity
    simultaneous: Simultaneous


@dataclass(frozen=True)
class Analysis:
    """All of it.

    Attributes:
        options: How it was made.
        sets: The sets' scores, the original's first.
        models: Model → set → what it scores there; the models of at least one pair.
        pairs: One a new set.
        similarity: Set → its models' similarity; only for sets with right answers item by item.
        warnings: What a reader must know.
        drawn: Set → its models' resampled scores, in the order of the set's models.
    """

    options: Options
    sets: tuple[Scores, ...]
    models: Mapping[str, Mapping[str, ModelOnSet]]
    pairs: tuple[Pair, ...]
    similarity: Mapping[str, SetSimilarity]
    warnings: tuple[str, ...]
    drawn: Mapping[str, Resamples]
