"""The tables of a study's database.

Every class documents one table and every column says what it holds; `db/schema.md` is generated
from here. Times are UTC. Image ids are the SHA-256 of the image file as it was gathered; the
prepared bytes and the display copies have digests of their own. Votes are kept one a row; a
selection frequency is never stored: it is the view `selection_frequencies` over votes and rules.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Float, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from replicate.store.ethics_tables import SafetyCheck, SafetyFlag, Takedown
from replicate.store.fact_tables import OriginalFact
from replicate.store.gather_tables import ApiCall, Candidate, ClassSearch, Query
from replicate.store.label_tables import (
    Assignment,
    Batch,
    Estimate,
    Hit,
    HitImage,
    Payment,
    Vote,
    WorkerEstimate,
)
from replicate.store.review_tables import DuplicateVerdict, SetReview
from replicate.store.set_tables import FrozenSet
from replicate.store.table_base import Base, text

__all__ = [
    "ApiCall",
    "Assignment",
    "Base",
    "Batch",
    "Candidate",
    "ClassSearch",
    "DedupDecision",
    "DuplicatePair",
    "DuplicateVerdict",
    "Estimate",
    "FrozenSet",
    "Hash",
    "Hit",
    "HitImage",
    "Image",
    "Model",
    "OriginalFact",
    "Payment",
    "Prediction",
    "PreparedImage",
    "Query",
    "Rule",
    "Run",
    "SafetyCheck",
    "SafetyFlag",
    "SetImage",
    "SetReview",
    "Takedown",
    "TestSet",
    "TestSetImage",
    "Vote",
    "WorkerEstimate",
]


class Run(Base):
    """One run of one stage."""

    __tablename__ = "runs"
    run_id: Mapped[int] = mapped_column(primary_key=True, doc="Counts up from 1.")
    stage: Mapped[str] = text("The stage's name.")
    versions: Mapped[dict[str, Any]] = mapped_column(doc="Versions of replicate and libraries.")
    seed: Mapped[int] = mapped_column(Integer, doc="The study's seed.")
    pipeline_digest: Mapped[str] = text("Digest of all values of the pipeline file.")
    started_at: Mapped[datetime] = mapped_column(doc="When it began.")
    ended_at: Mapped[datetime | None] = mapped_column(doc="When it ended; null: it was cut off.")
    status: Mapped[str] = text("running, done, failed or interrupted.")
    done: Mapped[int] = mapped_column(Integer, default=0, doc="Items done by this run.")
    skipped: Mapped[int] = mapped_column(Integer, default=0, doc="Items already done before.")
    failed: Mapped[dict[str, Any]] = mapped_column(default=dict, doc="Failed items by reason.")
    details: Mapped[dict[str, Any]] = mapped_column(default=dict, doc="What the stage says more.")


class Rule(Base):
    """A number that views depend on, taken over from the pipeline file."""

    __tablename__ = "rules"
    name: Mapped[str] = text(
        "A key of [label.quality]; experts: how many must accept an image in expert mode; or "
        "hold_reported: how many workers' reports hold an image.",
        primary_key=True,
    )
    value: Mapped[float] = mapped_column(Float, doc="Its value.")


class Image(Base):
    """One image file as it was gathered."""

    __tablename__ = "images"
    image_id: Mapped[str] = text("SHA-256 of the file.", primary_key=True)
    width: Mapped[int] = mapped_column(Integer, doc="Pixels.")
    height: Mapped[int] = mapped_column(Integer, doc="Pixels.")
    n_bytes: Mapped[int] = mapped_column(Integer, doc="The file's size.")


class SetImage(Base):
    """One image of the original test set, its train set, a control or a further reference set."""

    __tablename__ = "set_images"
    set_name: Mapped[str] = text(
        "original, train, a control's name, or the path of a reference set.", primary_key=True
    )
    name: Mapped[str] = text("The image's name in its set.", primary_key=True)
    class_id: Mapped[str] = text("Its class; empty in a further reference set.")
    position: Mapped[int] = mapped_column(Integer, doc="Its place in the set, from 0.")
    image_id: Mapped[str | None] = mapped_column(
        Text, ForeignKey("images.image_id"), doc="The file; null if it could not be read."
    )
    status: Mapped[str] = text("ok or failed.")
    reason: Mapped[str | None] = text("Why it failed.")
    __table_args__ = (Index("set_images_by_image", "image_id"),)


class PreparedImage(Base):
    """An image after the transformations of `[prepare]`, and its display copy."""

    __tablename__ = "prepared_images"
    image_id: Mapped[str] = mapped_column(
        Text, ForeignKey("images.image_id"), primary_key=True, doc="The gathered file."
    )
    steps: Mapped[str] = text(
        "The named, versioned transformations, joined by '+'.", primary_key=True
    )
    prepared_id: Mapped[str | None] = text("SHA-256 of the prepared bytes.")
    display_id: Mapped[str | None] = text("SHA-256 of the copy that workers see.")
    display_form: Mapped[str | None] = text("How that was made, such as jpeg-500-q90.")
    status: Mapped[str] = text("ok or failed.")
    reason: Mapped[str | None] = text("Why it failed.")


class Hash(Base):
    """A perceptual hash of a prepared image."""

    __tablename__ = "hashes"
    prepared_id: Mapped[str] = text("The prepared bytes.", primary_key=True)
    algorithm: Mapped[str] = text("Algorithm and bits, such as phash-64.", primary_key=True)
    value: Mapped[str] = text("The hash as hexadecimal text.")
    versions: Mapped[str] = text("Decoder and library versions; others are not comparable.")


class DuplicatePair(Base):
    """Two images that were proposed as near-duplicates, and what the pixels say."""

    __tablename__ = "duplicate_pairs"
    reference_id: Mapped[str] = text(
        "Image of a reference set, or another candidate.", primary_key=True
    )
    candidate_id: Mapped[str] = text("Image of the candidate pool.", primary_key=True)
    reference_set: Mapped[str] = text(
        "original, train, candidates, or the path of a reference set."
    )
    transform: Mapped[str] = text(
        "What to do to the candidate so that it lies on the reference image: none, or a flip or "
        "turn by Pillow's name.",
        server_default="none",
    )
    distance: Mapped[int] = mapped_column(
        Integer, doc="Hamming distance of the hashes, in bits, the candidate transformed."
    )
    pixel_distance: Mapped[float | None] = mapped_column(
        Float,
        doc="The distance of the pixels that decided, in [0, 1]: (1 - correlation) / 2, best over "
        "small moves; or the mean squared difference where [dedup] threshold is given; null: the "
        "reference set is a file of hashes.",
    )
    distance256: Mapped[int | None] = mapped_column(
        Integer, doc="Differing bits of the 256-bit pHashes; null: not measured."
    )
    ssim: Mapped[float | None] = mapped_column(
        Float, doc="Structural similarity at 256x256, or at the images' own smaller size."
    )
    dssim: Mapped[float | None] = mapped_column(Float, doc="(1 - ssim) / 2, in [0, 1].")
    squared: Mapped[float | None] = mapped_column(
        Float, doc="Mean squared difference at 256x256, in [0, 1], or at the own smaller size."
    )
    squared32: Mapped[float | None] = mapped_column(Float, doc="The same at 32x32.")
    similarity: Mapped[float | None] = mapped_column(
        Float, doc="The cosine of the images' features; null: they have none."
    )
    found_by: Mapped[str] = text(
        "What proposed the pair: hash, features, or hash and features.", server_default="hash"
    )
    verdict: Mapped[str] = text("sure, unsure or different.")


class DedupDecision(Base):
    """Whether a candidate stays in the pool after near-duplicates were sought."""

    __tablename__ = "dedup_decisions"
    image_id: Mapped[str] = mapped_column(
        Text, ForeignKey("images.image_id"), primary_key=True, doc="The candidate."
    )
    class_id: Mapped[str] = text("The class it was found for.", primary_key=True)
    keep: Mapped[bool] = mapped_column(doc="Whether it stays.")
    reason: Mapped[str | None] = text(
        "Why it goes: duplicate_of_reference, duplicate_of_candidate."
    )
    because_of: Mapped[str | None] = text("The image that it is too close to.")


class TestSet(Base):
    """One test set, one revision."""

    __test__ = False
    __tablename__ = "test_sets"
    name: Mapped[str] = text("Its name.", primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True, doc="From 1.")
    strategy: Mapped[str] = text("The sampling strategy.")
    parameters: Mapped[dict[str, Any]] = mapped_column(doc="The strategy's parameters.")
    digest: Mapped[str] = text("SHA-256 of its manifest.")
    n: Mapped[int] = mapped_column(Integer, doc="Images.")
    match: Mapped[dict[str, Any]] = mapped_column(
        doc="How well it matches the original: on the votes it was drawn by, and on held-out ones."
    )
    drawn_from: Mapped[dict[str, Any] | None] = mapped_column(
        JSON(none_as_null=True),
        doc="What it was drawn from: pool, votes, near-duplicates, pipeline, versions; null: drawn "
        "by a version that did not write it down.",
    )
    created_at: Mapped[datetime] = mapped_column(doc="When it was drawn.")
    frozen_at: Mapped[datetime | None] = mapped_column(doc="When it was frozen; null: not yet.")


class TestSetImage(Base):
    """One image of one test set."""

    __test__ = False
    __tablename__ = "test_set_images"
    name: Mapped[str] = text("The test set.", primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True, doc="Its revision.")
    position: Mapped[int] = mapped_column(Integer, primary_key=True, doc="From 0.")
    image_id: Mapped[str] = mapped_column(Text, ForeignKey("images.image_id"), doc="The image.")
    class_id: Mapped[str] = text("Its class.")
    stratum: Mapped[str] = text("The frequency bin it was drawn from.")
    filled: Mapped[bool] = mapped_column(doc="Whether it fills a gap of another bin.")


class Model(Base):
    """One model of the zoo."""

    __tablename__ = "models"
    name: Mapped[str] = text("Its name.", primary_key=True)
    family: Mapped[str] = text("Its family.")
    card: Mapped[dict[str, Any]] = mapped_column(doc="Preprocessing, parameters, provenance.")
    weights_digest: Mapped[str | None] = text("SHA-256 of its weights' tensors.")
    path: Mapped[str | None] = text("The weights, below the study folder.")
    status: Mapped[str] = text("ok, failed, or waiting: named, and not scored yet.")
    reason: Mapped[str | None] = text("Why it failed.")


class Prediction(Base):
    """One model's predictions on one set: integer counts and where the arrays are."""

    __tablename__ = "predictions"
    model: Mapped[str] = mapped_column(
        Text, ForeignKey("models.name"), primary_key=True, doc="The model."
    )
    set_name: Mapped[str] = text("The set.", primary_key=True)
    set_digest: Mapped[str] = text("The set's digest when it was scored.", primary_key=True)
    preprocessing: Mapped[str] = text("Name and version of the preprocessing.", primary_key=True)
    precision: Mapped[str] = text("Such as fp32.", primary_key=True)
    weights_digest: Mapped[str | None] = text("The weights that were scored.")
    n: Mapped[int | None] = mapped_column(Integer, doc="Images scored.")
    correct: Mapped[int | None] = mapped_column(Integer, doc="Images right at top-1.")
    path: Mapped[str | None] = text("The arrays, below the study folder.")
    predictions_digest: Mapped[str | None] = text("SHA-256 of the predicted classes.")
    exploratory: Mapped[bool] = mapped_column(doc="Whether the set was not frozen.")
    status: Mapped[str] = text("ok or failed.")
    reason: Mapped[str | None] = text("Why it failed.")
