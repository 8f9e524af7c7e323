"""What is asked of a sample, and what drawing gives."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from replicate.base.errors import UsageError
from replicate.sampling.feasibility import Need
from replicate.sampling.strata import PAPER_EDGES, stratum_labels

STRATEGIES = ("matched-frequency", "matched-estimated", "threshold", "top", "uniform", "quota")
MATCHED = ("matched-frequency", "matched-estimated")
# Parameters of later versions: left out where they are not used, so that what a set was drawn by
# is told by the same digest as before.
_LATER = {"keywords": None, "covariates": ()}


@dataclass(frozen=True)
class Request:
    """What is asked of a sample.

    Attributes:
        name: The test set's name; also the name of its random stream.
        strategy: One of `STRATEGIES`; there is no default.
        per_class: Images a class, 1 or more; quota: 0 where keywords alone say how many.
        seed: The study's seed.
        min_votes: Votes that an image needs before its frequency counts.
        edges: Inner edges of the bins; matched-frequency draws by them, all report by them.
        min_original_images: Matching: original images with enough votes a class.
        fill: Whether other images stand in for what is missing, by the strategy's own rule (see
            `replicate.sampling.filling`; matched-frequency: those of higher bins).
        threshold: threshold and quota: the smallest frequency.
        overrides: threshold: other thresholds, by class id.
        keywords: quota: how many of the original's keywords count in each class.
        covariates: matched-estimated: what else is matched, by name.
    """

    name: str
    strategy: str
    per_class: int
    seed: int
    min_votes: int = 10
    edges: tuple[float, ...] = PAPER_EDGES
    min_original_images: int = 20
    fill: bool = False
    threshold: float | None = None
    overrides: Mapping[str, float] = field(default_factory=dict)
    keywords: int | None = None
    covariates: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise UsageError(
                f"There is no sampling strategy {self.strategy!r}.",
                f"Choose one of: {', '.join(STRATEGIES)}",
            )
        if self.strategy == "threshold" and self.threshold is None:
            raise UsageError("The strategy 'threshold' needs a threshold.", "Say threshold = 0.7")
        if self.strategy not in ("threshold", "quota") and self.threshold is not None:
            raise UsageError(
                f"A threshold means nothing to the strategy {self.strategy!r}.",
                "Leave it out, or choose the strategy 'threshold'.",
            )
        if self.strategy != "threshold" and self.overrides:
            raise UsageError(f"Overrides mean nothing to the strategy {self.strategy!r}.")
        if (self.strategy == "quota") != (self.keywords is not None):
            raise UsageError("A number of keywords belongs to 'quota', and that needs it.")
        if self.covariates and self.strategy != "matched-estimated":
            raise UsageError(
                f"Covariates mean nothing to the strategy {self.strategy!r}.",
                "Leave them out, or choose the strategy 'matched-estimated'.",
            )
        if self.per_class < (self.strategy != "quota"):
            raise UsageError(f"{self.per_class} images a class make no test set.")
        stratum_labels(self.edges)

    def parameters(self) -> dict[str, Any]:
        """Everything but the name, JSON-serialisable; part of a set's manifest.

        >>> Request("t", "top", 5, seed=1).parameters()["per_class"]
        5
        """
        values = asdict(self) | {"edges": list(self.edges), "overrides": dict(self.overrides)}
        values = {k: v for k, v in values.items() if k not in _LATER or v != _LATER[k]}
        if self.covariates:
            values["covariates"] = list(self.covariates)
        return {key: value for key, value in sorted(values.items()) if key != "name"}


@dataclass(frozen=True, order=True)
class Chosen:
    """One image of a test set.

    Attributes:
        class_id: The class.
        image_id: The image.
        stratum: The frequency bin that it lies in; quota: the keyword that it was drawn for.
        filled: Whether it stands in for an image that is missing.
    """

    class_id: str
    image_id: str
    stratum: str
    filled: bool


@dataclass(frozen=True)
class Sample:
    """What drawing would give.

    Attributes:
        chosen: The images, sorted by class, then image; whole only if nothing is missing.
        needs: What was wanted, there and missing, by class and stratum.
        reasons: How many candidates were not eligible, by reason.
    """

    chosen: tuple[Chosen, ...]
    needs: tuple[Need, ...]
    reasons: Mapping[str, int]

    @property
    def feasible(self) -> bool:
        """Whether nothing is missing."""
        return all(need.missing == 0 for need in self.needs)
