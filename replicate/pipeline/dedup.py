"""`[dedup]`: which candidates are near-duplicates, and which of them go."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from replicate.pipeline.base import Fraction, Table

Keep = Literal["fewest", "first", "largest", "none"]
Cosine = Annotated[float, Field(ge=-1.0, le=1.0)]

_FEATURE_FILES = (".arrow", ".feather", ".parquet", ".csv", ".tsv")  # those that name their rows


class DedupConfig(Table):
    """`[dedup]`: near-duplicates of the reference sets are removed before labelling."""

    hash: Literal["phash"] = Field("phash", description="The hash that proposes pairs.")
    bits: Literal[64, 256] = Field(64, description="Bits of the hash.")
    radius: int = Field(10, ge=0, le=64, description="Hamming distance up to which it proposes.")
    transforms: bool = Field(
        False,
        description="Also find flipped and quarter-turned images. The paper did not; signs, digits "
        "and letters mean something else when turned.",
    )
    references: tuple[str, ...] = Field(
        ("test", "train"),
        description="The sets that must not leak in: `test` and `train` of `[original]`, and "
        "further folders of images, tables with a column `path`, or files of hashes (`H.npz`, made "
        "by `replicate duplicates --save-hashes`), beside this file.",
    )
    within: bool = Field(True, description="Also remove near-duplicates among the candidates.")
    keep: Keep = Field(
        "fewest",
        description="Which of several candidates that are near-duplicates of each other, and of "
        "none in a reference set, stays: the one of the class with the `fewest` good candidates "
        "(the paper's rule), the `first` in its class's search results, the `largest` in pixels, "
        "or `none`.",
    )
    confirm: Literal["pixels", "none"] = Field(
        "pixels", description="Whether pixels decide about the pairs that the hash proposes."
    )
    threshold: Fraction | None = Field(
        None,
        description="Mean squared pixel difference, on the scale [0, 1], up to which a pair is "
        "a near-duplicate. Default: calibrated on the study's own images.",
    )
    false_drops: Fraction = Field(
        0.01,
        description="The share of different images that may be dropped by mistake; the threshold "
        "is calibrated to it on the study's own images.",
    )

    features: tuple[str, ...] = Field(
        (),
        description="Features that find what hashes cannot see, such as heavy crops and rotations: "
        "one model of the zoo (`timm:resnet50.a1_in1k`), or files that `replicate features` or "
        "another program wrote, beside this file, whose rows are named by image ids, by the "
        "images' names in their sets, or by candidates' names at their source.",
    )
    features_sure: Cosine | None = Field(
        None,
        description="From this cosine of features on a pair is a near-duplicate. Default: measured "
        "on the reference sets.",
    )
    features_unsure: Cosine | None = Field(
        None, description="From this cosine on a pair is kept for review. Default: measured."
    )

    @property
    def features_model(self) -> str | None:
        """The model whose features are asked for; None if files are, or nothing."""
        named = [name for name in self.features if not name.endswith(_FEATURE_FILES)]
        return named[0] if named else None

    @model_validator(mode="after")
    def _one_kind_of_features(self) -> "DedupConfig":
        if self.features_model is not None and len(self.features) > 1:
            raise ValueError(
                "features names one model, or files that end in " + ", ".join(_FEATURE_FILES)
            )
        cuts = [self.features_sure is not None, self.features_unsure is not None]
        if any(cuts) and not (all(cuts) and self.features):
            raise ValueError("features_sure and features_unsure belong together, and to features")
        return self

    @property
    def hash_files(self) -> tuple[str, ...]:
        """The reference sets that are files of hashes."""
        return tuple(name for name in self.references if name.endswith(".npz"))

    @field_validator("references")
    @classmethod
    def _folders_or_tables(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        taken = {"original", "candidates", *(name for name in value if value.count(name) > 1)}
        wrong = [name for name in value if name in taken]
        if wrong:
            raise ValueError(
                f"{wrong[0]!r} cannot be named, or not twice; there are test and train"
            )
        bare = [name for name in value if name.endswith(".npy")]
        if bare:
            raise ValueError(
                f"{bare[0]!r} does not say how its hashes were made: name a file H.npz, made by "
                "replicate duplicates --save-hashes"
            )
        return value
