"""`[[sample]]`: one block a test set."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from replicate.pipeline.base import Table

Covariate = Literal["year", "rank", "size", "aspect"]
Strategy = Literal["matched-frequency", "matched-estimated", "threshold", "top", "uniform", "quota"]


class SampleConfig(Table):
    """`[[sample]]`: how one test set is drawn from the candidates."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)] = Field(
        description="The test set's name."
    )
    strategy: Strategy = Field(
        description="`matched-frequency` (as the paper), `matched-estimated` (without its bias), "
        "`threshold`, `top`, `uniform` or `quota`; no default."
    )
    per_class: int | None = Field(
        None, ge=1, description="Images a class; quota: see total_per_class."
    )
    bins: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        (0.2, 0.4, 0.6, 0.8), description="matched-frequency: inner edges of the bins."
    )
    min_original_images: int = Field(
        20, ge=1, description="Matching: original images with enough votes a class."
    )
    min_votes: int = Field(
        10, ge=1, description="Votes an image needs before its frequency counts."
    )
    fill: bool = Field(
        False,
        description="Let other images stand in for missing ones, by the strategy's rule (the page "
        "on sampling has them); each is marked. matched-frequency: those of higher bins.",
    )
    covariates: tuple[Covariate, ...] = Field(
        (),
        description="matched-estimated: also bring the means of these to the original's, beside "
        "the frequencies: `year` (taken, or else uploaded), `rank` (place among the results of a "
        "search), `size` (square root of the pixels), `aspect` (width over height).",
    )
    threshold: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None, description="threshold and quota: the smallest selection frequency."
    )
    overrides: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict, description="threshold: other thresholds, by class id."
    )
    keywords: int | None = Field(
        None, ge=1, description="quota: the most frequent keywords of the original a class."
    )
    total_per_class: int | None = Field(
        None,
        ge=1,
        description="quota: a fixed class total, by largest remainder, instead of one image for "
        "every thirty of the original's of a keyword, rounded up.",
    )
    holdout_votes: int = Field(
        0,
        ge=0,
        description="Votes an image set aside before sampling, and used only to check the match.",
    )
    freeze: bool = Field(
        False, description="Freeze the set as soon as it is drawn, without a review."
    )

    @model_validator(mode="after")
    def _parameters(self) -> "SampleConfig":
        if self.strategy == "threshold" and self.threshold is None:
            raise ValueError("strategy 'threshold' needs a threshold, such as threshold = 0.7")
        if self.strategy not in ("threshold", "quota") and self.threshold is not None:
            raise ValueError(f"threshold means nothing to {self.strategy!r}")
        if self.strategy != "threshold" and self.overrides:
            raise ValueError(f"overrides mean nothing to {self.strategy!r}")
        if self.strategy == "quota" and self.keywords is None:
            raise ValueError("strategy 'quota' needs keywords, such as keywords = 25")
        if self.strategy != "quota" and self.per_class is None:
            raise ValueError(f"strategy {self.strategy!r} needs per_class, such as per_class = 10")
        if self.strategy != "quota" and (self.keywords or self.total_per_class):
            raise ValueError(f"keywords and total_per_class mean nothing to {self.strategy!r}")
        if self.strategy != "matched-estimated" and self.covariates:
            raise ValueError(f"covariates mean nothing to {self.strategy!r}")
        if len(set(self.covariates)) < len(self.covariates):
            raise ValueError("a covariate is named twice")
        if list(self.bins) != sorted(set(self.bins)):
            raise ValueError("bins must be increasing")
        return self
