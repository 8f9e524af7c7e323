"""Everything that a report shows, as plain records.

The ``report`` stage fills `ReportData` from the store; nothing here knows where it came from.
Fractions are in [0, 1]; gaps are original − new, so a positive gap is a drop.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from replicate.analysis.bootstrap import GapInterval, Kind, LineInterval
from replicate.analysis.fits import LineFit, Scale
from replicate.analysis.intervals import Interval
from replicate.analysis.ranks import Inversions
from replicate.analysis.votes import HeldoutDifference
from replicate.reporting.balance import Balance
from replicate.reporting.by_votes import AdjustedSet
from replicate.reporting.labelling import Labelling
from replicate.reporting.provenance import Provenance

Role = Literal["original", "new", "control"]


@dataclass(frozen=True)
class ModelInfo:
    """A model of the zoo.

    Attributes:
        name: Its name.
        family: Its family; colours and markers in figures follow it.
        parameters: How many parameters it has; None if not known.
    """

    name: str
    family: str
    parameters: int | None = None


@dataclass(frozen=True)
class SetInfo:
    """A set that the zoo was scored on.

    Attributes:
        name: Its name, without revision.
        role: ``original``, ``new`` (a replication) or ``control``.
        n: How many images it has.
        digest: The digest of its manifest; empty if it has none.
        strategy: How it was sampled; empty for sets that were not.
        parameters: The strategy's parameters, as text.
        revision: Its revision; None for sets that have none.
        frozen: Whether it was frozen before a model saw it; always True for given sets.
        exploratory: Whether it was scored before it was frozen.
        expect: For a control: what its gap should be and why.
        per_class: Images by class id.
        filled: Images that fill a gap of another frequency bin.
        restricted: How many classes competed, and what part of the original it is compared with,
            where it has only some of the original's; None where it has all.
        paired: Whether its images are those of the original, in its order, in another form.
    """

    name: str
    role: Role
    n: int
    digest: str = ""
    strategy: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    revision: int | None = None
    frozen: bool = True
    exploratory: bool = False
    expect: str = ""
    per_class: Mapping[str, int] = field(default_factory=dict)
    filled: int = 0
    restricted: int | None = None
    paired: bool = False


@dataclass(frozen=True)
class ScoredSet:
    """Which images of a set each model gets right.

    Attributes:
        info: The set.
        models: The models' names, m of them.
        correct: True where a model is right; shape (images, m).
        classes: Each image's class id; shape (images,).
    """

    info: SetInfo
    models: tuple[str, ...]
    correct: npt.NDArray[np.bool_]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class ModelScore:
    """One model on one set beside the original.

    Attributes:
        model: The model.
        correct_original: Images of the original that it gets right.
        n_original: Images of the original.
        interval_original: Clopper–Pearson interval of that accuracy.
        correct_new: Images of the set that it gets right.
        n_new: Images of the set.
        interval_new: Clopper–Pearson interval of that accuracy.
        gap: Accuracy on the original − accuracy on the set.
        gap_interval: Newcombe's interval of the gap.
        rank_original: Its place on the original, 1 is best; ties share the better place.
        rank_new: Its place on the set.
    """

    model: ModelInfo
    correct_original: int
    n_original: int
    interval_original: Interval
    correct_new: int
    n_new: int
    interval_new: Interval
    gap: float
    gap_interval: Interval
    rank_original: int
    rank_new: int

    @property
    def original(self) -> float:
        """Accuracy on the original."""
        return self.correct_original / self.n_original

    @property
    def new(self) -> float:
        """Accuracy on the set."""
        return self.correct_new / self.n_new

    @property
    def rank_change(self) -> int:
        """How many places it climbs; negative where it falls."""
        return self.rank_original - self.rank_new


@dataclass(frozen=True)
class Comparison:
    """The zoo on one set beside the original.

    Attributes:
        set: The set.
        scores: One a model, the original's best first.
        gaps: The mean gap with its interval, for each kind of resampling; empty with fewer
            than two models.
        fits: The line on each scale; empty where no line fits.
        lines: The lines' intervals, one a scale and kind; empty where no line fits.
        spearman: Spearman's correlation of the accuracies; NaN where there is none.
        kendall: Kendall's τ_b; NaN where there is none.
        inversions: The pairs of models that change places; None with fewer than two models.
    """

    set: SetInfo
    scores: tuple[ModelScore, ...]
    gaps: tuple[GapInterval, ...]
    fits: tuple[LineFit, ...]
    lines: tuple[LineInterval, ...]
    spearman: float
    kendall: float
    inversions: Inversions | None

    @property
    def mean_original(self) -> float:
        """Mean accuracy of the models on the original."""
        return sum(score.original for score in self.scores) / len(self.scores)

    @property
    def mean_new(self) -> float:
        """Mean accuracy of the models on the set."""
        return sum(score.new for score in self.scores) / len(self.scores)

    @property
    def mean_gap(self) -> float:
        """Mean gap of the models."""
        return self.mean_original - self.mean_new

    def gap(self, kind: Kind) -> GapInterval | None:
        """The mean gap with the interval of that kind, if there is one."""
        return next((gap for gap in self.gaps if gap.kind == kind), None)

    def fit(self, scale: Scale) -> LineFit | None:
        """The line on a scale, if there is one."""
        return next((fit for fit in self.fits if fit.scale == scale), None)

    def line(self, scale: Scale, kind: Kind) -> LineInterval | None:
        """The interval of the line on a scale, of that kind, if there is one."""
        return next((x for x in self.lines if (x.scale, x.kind) == (scale, kind)), None)


@dataclass(frozen=True)
class SetFrequencies:
    """The selection frequencies of a set's images.

    Attributes:
        name: The set; ``candidates`` for the pool.
        role: ``original``, ``new`` or ``pool``.
        selected: How many people selected each image, over all votes that count.
        shown: How many saw it, each at least 1.
        n_without: Images of the set that have no votes; not among the others.
        interval: Of the mean frequency, for other images and other workers like these; None if
            it cannot be told.
        heldout: For a new set: the original's mean held-out frequency minus this set's.
        balance: For a new set: the covariates that it was matched by, if any.
    """

    name: str
    role: Literal["original", "new", "pool"]
    selected: tuple[int, ...]
    shown: tuple[int, ...]
    n_without: int = 0
    interval: Interval | None = None
    heldout: HeldoutDifference | None = None
    balance: Balance | None = None

    @property
    def frequency(self) -> npt.NDArray[np.float64]:
        """The share of the people who saw each image that selected it."""
        return np.asarray(self.selected, np.float64) / np.asarray(self.shown, np.float64)


@dataclass(frozen=True)
class SampleImage:
    """One image to look at.

    Attributes:
        data: The file's bytes, PNG or JPEG.
        class_id: The class that people were asked about.
        selected: How many selected it.
        shown: How many saw it.
    """

    data: bytes
    class_id: str
    selected: int
    shown: int


@dataclass(frozen=True)
class Strip:
    """Sample images of one frequency bin.

    Attributes:
        label: The bin, such as ``0.8–1.0``.
        n: How many images of the set are in the bin.
        images: A few of them, drawn at random.
    """

    label: str
    n: int
    images: tuple[SampleImage, ...]


@dataclass(frozen=True)
class Samples:
    """Sample images of a set (or the pool) by selection frequency, rarest selected first."""

    name: str
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class FunnelStep:
    """What became of the candidates at one step.

    Attributes:
        name: What they passed, such as ``downloaded``.
        left: How many (image, class) were left after it.
        lost: Why the others went: counts by reason.
    """

    name: str
    left: int
    lost: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Exclusion:
    """A model that is missing from a set's comparison, and why."""

    model: str
    set_name: str
    reason: str


@dataclass(frozen=True)
class ReportData:
    """A whole report.

    Attributes:
        title: The report's title.
        study: The study's name.
        level: Confidence level of all intervals, in (0, 1).
        resamples: Bootstrap resamples.
        simulated: Whether the workers who voted are simulated.
        simulated_source: Whether the source of candidates is simulated.
        original: The original.
        comparisons: The new sets and the controls beside the original, in the order shown.
        frequencies: Selection frequencies of the original, the pool and the new sets.
        samples: Sample images by frequency.
        funnel: Candidates lost, step by step.
        labelling: How the votes came about; None if there are none.
        classes: Class ids and names, in the study's order.
        exclusions: Models that could not be compared.
        provenance: How to make it again.
        adjusted: The gaps of the new sets at equal selection frequencies; empty without votes.
    """

    title: str
    study: str
    level: float
    resamples: int
    simulated: bool
    simulated_source: bool
    original: SetInfo
    comparisons: tuple[Comparison, ...]
    frequencies: tuple[SetFrequencies, ...]
    samples: tuple[Samples, ...]
    funnel: tuple[FunnelStep, ...]
    labelling: Labelling | None
    classes: tuple[tuple[str, str], ...]
    exclusions: tuple[Exclusion, ...]
    provenance: Provenance
    adjusted: tuple[AdjustedSet, ...] = ()

    @property
    def new_sets(self) -> tuple[Comparison, ...]:
        """The replications."""
        return tuple(item for item in self.comparisons if item.set.role == "new")

    @property
    def controls(self) -> tuple[Comparison, ...]:
        """The controls."""
        return tuple(item for item in self.comparisons if item.set.role == "control")

    @property
    def exploratory(self) -> bool:
        """Whether any set was scored before it was frozen."""
        return any(item.set.exploratory for item in self.comparisons)
