"""The tables of a study's database.

Every class documents one table and every column says what it holds; `db/schema.md` is generated
from here. Times are UTC. Image ids are the SHA-256 of the image file as it was gathered; the
prepared bytes and the display copies have digests of their own. Votes are kept one a row; a
selection frequency is never stored: it is the view `selection_frequencies` over votes and rules.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Float, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The base of all tables."""

    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON, datetime: DateTime(timezone=True)}  # noqa: RUF012


ROLES = (
    "candidate, positive, negative, original (an original image that is judged beside the "
    "candidates) or repeat (an image shown a second time; counts in no frequency)."
)


def _text(doc: str, **kwargs: Any) -> Any:
    return mapped_column(Text, doc=doc, **kwargs)


class Run(Base):
    """One run of one stage."""

    __tablename__ = "runs"
    run_id: Mapped[int] = mapped_column(primary_key=True, doc="Counts up from 1.")
    stage: Mapped[str] = _text("The stage's name.")
    versions: Mapped[dict[str, Any]] = mapped_column(doc="Versions of replicate and libraries.")
    seed: Mapped[int] = mapped_column(Integer, doc="The study's seed.")
    pipeline_digest: Mapped[str] = _text("Digest of all values of the pipeline file.")
    started_at: Mapped[datetime] = mapped_column(doc="When it began.")
    ended_at: Mapped[datetime | None] = mapped_column(doc="When it ended; null: it was cut off.")
    status: Mapped[str] = _text("running, done, failed or interrupted.")
    done: Mapped[int] = mapped_column(Integer, default=0, doc="Items done by this run.")
    skipped: Mapped[int] = mapped_column(Integer, default=0, doc="Items already done before.")
    failed: Mapped[dict[str, Any]] = mapped_column(default=dict, doc="Failed items by reason.")
    details: Mapped[dict[str, Any]] = mapped_column(default=dict, doc="What the stage says more.")


class Rule(Base):
    """A number that views depend on, taken over from the pipeline file."""

    __tablename__ = "rules"
    name: Mapped[str] = _text(
        "A key of [label.quality]; or experts: how many must accept an image in expert mode.",
        primary_key=True,
    )
    value: Mapped[float] = mapped_column(Float, doc="Its value.")


class Image(Base):
    """One image file as it was gathered."""

    __tablename__ = "images"
    image_id: Mapped[str] = _text("SHA-256 of the file.", primary_key=True)
    width: Mapped[int] = mapped_column(Integer, doc="Pixels.")
    height: Mapped[int] = mapped_column(Integer, doc="Pixels.")
    n_bytes: Mapped[int] = mapped_column(Integer, doc="The file's size.")


class SetImage(Base):
    """One image of the original test set, its train set or a control set."""

    __tablename__ = "set_images"
    set_name: Mapped[str] = _text("original, train, or a control's name.", primary_key=True)
    name: Mapped[str] = _text("The image's name in its set.", primary_key=True)
    class_id: Mapped[str] = _text("Its class.")
    position: Mapped[int] = mapped_column(Integer, doc="Its place in the set, from 0.")
    image_id: Mapped[str | None] = mapped_column(
        Text, ForeignKey("images.image_id"), doc="The file; null if it could not be read."
    )
    status: Mapped[str] = _text("ok or failed.")
    reason: Mapped[str | None] = _text("Why it failed.")
    __table_args__ = (Index("set_images_by_image", "image_id"),)


class Query(Base):
    """One page of one search: what was asked and what came back."""

    __tablename__ = "queries"
    query_id: Mapped[str] = _text(
        "Digest of source, class, term, window and page.", primary_key=True
    )
    source: Mapped[str] = _text("flickr or folder.")
    class_id: Mapped[str] = _text("The class that was searched for.")
    term: Mapped[str] = _text("The search term.")
    window_start: Mapped[str | None] = _text("First upload date asked for.")
    window_end: Mapped[str | None] = _text("End of the upload dates asked for.")
    page: Mapped[int] = mapped_column(Integer, doc="Page, from 1.")
    total: Mapped[int | None] = mapped_column(Integer, doc="How many results were claimed.")
    fetched: Mapped[int] = mapped_column(Integer, doc="Results on the page.")
    new: Mapped[int] = mapped_column(Integer, doc="Results not seen before in this class.")
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.run_id"), doc="The run that asked.")


class Candidate(Base):
    """One image proposed for one class: the candidate pool."""

    __tablename__ = "candidates"
    source: Mapped[str] = _text("flickr or folder.", primary_key=True)
    source_id: Mapped[str] = _text("The source's own id of the image.", primary_key=True)
    class_id: Mapped[str] = _text("The class it was found for.", primary_key=True)
    position: Mapped[int] = mapped_column(Integer, doc="Its place among the class's results.")
    query_id: Mapped[str] = mapped_column(
        Text, ForeignKey("queries.query_id"), doc="The search that found it."
    )
    url: Mapped[str] = _text("Where it was to be downloaded from.")
    page_url: Mapped[str | None] = _text("The page that shows it.")
    owner: Mapped[str | None] = _text("Whose it is.")
    title: Mapped[str | None] = _text("Its title.")
    licence: Mapped[str | None] = _text("Its licence, as the source numbers it.")
    uploaded: Mapped[str | None] = _text("When it was uploaded.")
    taken: Mapped[str | None] = _text("When it was taken.")
    status: Mapped[str] = _text("found, ok or failed.")
    attempts: Mapped[int] = mapped_column(Integer, default=0, doc="Tries to download it.")
    reason: Mapped[str | None] = _text("Why it failed.")
    image_id: Mapped[str | None] = mapped_column(
        Text, ForeignKey("images.image_id"), doc="The file, once it is here."
    )
    __table_args__ = (Index("candidates_by_image", "image_id", "class_id"),)


class PreparedImage(Base):
    """An image after the transformations of `[prepare]`, and its display copy."""

    __tablename__ = "prepared_images"
    image_id: Mapped[str] = mapped_column(
        Text, ForeignKey("images.image_id"), primary_key=True, doc="The gathered file."
    )
    steps: Mapped[str] = _text(
        "The named, versioned transformations, joined by '+'.", primary_key=True
    )
    prepared_id: Mapped[str | None] = _text("SHA-256 of the prepared bytes.")
    display_id: Mapped[str | None] = _text("SHA-256 of the copy that workers see.")
    status: Mapped[str] = _text("ok or failed.")
    reason: Mapped[str | None] = _text("Why it failed.")


class Hash(Base):
    """A perceptual hash of a prepared image."""

    __tablename__ = "hashes"
    prepared_id: Mapped[str] = _text("The prepared bytes.", primary_key=True)
    algorithm: Mapped[str] = _text("Algorithm and bits, such as phash-64.", primary_key=True)
    value: Mapped[str] = _text("The hash as hexadecimal text.")
    versions: Mapped[str] = _text("Decoder and library versions; others are not comparable.")


class DuplicatePair(Base):
    """Two images that the hash holds for near-duplicates, and what the pixels say."""

    __tablename__ = "duplicate_pairs"
    reference_id: Mapped[str] = _text(
        "Image of a reference set, or another candidate.", primary_key=True
    )
    candidate_id: Mapped[str] = _text("Image of the candidate pool.", primary_key=True)
    reference_set: Mapped[str] = _text("original, train, or candidates.")
    distance: Mapped[int] = mapped_column(Integer, doc="Hamming distance of the hashes, in bits.")
    pixel_distance: Mapped[float | None] = mapped_column(
        Float,
        doc="The distance of the pixels that decided, in [0, 1]: (1 - correlation) / 2, best over "
        "small moves; or the mean squared difference where [dedup] threshold is given.",
    )
    verdict: Mapped[str] = _text("sure, unsure or different.")


class DedupDecision(Base):
    """Whether a candidate stays in the pool after near-duplicates were sought."""

    __tablename__ = "dedup_decisions"
    image_id: Mapped[str] = mapped_column(
        Text, ForeignKey("images.image_id"), primary_key=True, doc="The candidate."
    )
    class_id: Mapped[str] = _text("The class it was found for.", primary_key=True)
    keep: Mapped[bool] = mapped_column(doc="Whether it stays.")
    reason: Mapped[str | None] = _text(
        "Why it goes: duplicate_of_reference, duplicate_of_candidate."
    )
    because_of: Mapped[str | None] = _text("The image that it is too close to.")


class Batch(Base):
    """HITs that were published together: what was agreed to, and where they went."""

    __tablename__ = "batches"
    batch_id: Mapped[int] = mapped_column(Integer, primary_key=True, doc="1, 2, …")
    mode: Mapped[str] = _text("Where the HITs went and who works there, as the provider says it.")
    provider: Mapped[str] = _text("The provider's name; its fee table is meant.")
    endpoint: Mapped[str | None] = _text("The provider's address, if it has one.")
    simulated: Mapped[bool] = mapped_column(doc="Whether the workers are simulated.")
    hits: Mapped[int] = mapped_column(Integer, doc="HITs that were agreed to.")
    assignments: Mapped[int] = mapped_column(Integer, doc="Their assignments.")
    reward: Mapped[str] = _text("For workers, in all: US dollars, as decimal text.")
    fees: Mapped[str] = _text("For the provider, in all: US dollars, as decimal text.")
    composition: Mapped[dict[str, Any]] = mapped_column(
        doc="The numbers of [label] that the pages were composed by."
    )
    composition_digest: Mapped[str] = _text("The digest of those numbers.")
    confirmed_by: Mapped[str] = _text("Who confirmed the cost: the name of the user.")
    confirmed_at: Mapped[datetime] = mapped_column(doc="When.")


class Hit(Base):
    """One page of work, composed from the pool; published once."""

    __tablename__ = "hits"
    hit_key: Mapped[str] = _text(
        "Token made from the content; UniqueRequestToken.", primary_key=True
    )
    class_id: Mapped[str] = _text("The class that is asked for.")
    number: Mapped[int] = mapped_column(Integer, doc="Its number within the class, from 0.")
    assignments: Mapped[int] = mapped_column(Integer, doc="How many workers are asked.")
    reward: Mapped[str] = _text("US dollars an assignment, as decimal text.")
    hit_id: Mapped[str | None] = _text("The provider's id, once it is published.")
    published_at: Mapped[datetime | None] = mapped_column(doc="When it was published.")
    status: Mapped[str] = _text(
        "composed, published, complete, expired: it ended before all assignments were sent; or "
        "imported: it was done elsewhere."
    )
    round: Mapped[int] = mapped_column(
        Integer,
        default=0,
        server_default="0",
        doc="0: the first labelling; from 1: work on images that earlier rounds left with too "
        "few votes.",
    )
    batch_id: Mapped[int | None] = mapped_column(
        ForeignKey("batches.batch_id"), doc="The batch it was published in."
    )
    expert_round: Mapped[int] = mapped_column(
        Integer,
        default=1,
        server_default="1",
        doc="1; in expert mode 2 for images on which the experts disagreed.",
    )


class HitImage(Base):
    """One image on one HIT."""

    __tablename__ = "hit_images"
    hit_key: Mapped[str] = mapped_column(
        Text, ForeignKey("hits.hit_key"), primary_key=True, doc="The HIT."
    )
    slot: Mapped[str] = _text("Its slot on the page: i01, i02, …", primary_key=True)
    image_id: Mapped[str] = mapped_column(Text, ForeignKey("images.image_id"), doc="The image.")
    role: Mapped[str] = _text(ROLES)


class Assignment(Base):
    """One worker's submission of one HIT."""

    __tablename__ = "assignments"
    assignment_id: Mapped[str] = _text("The provider's id.", primary_key=True)
    hit_key: Mapped[str] = mapped_column(
        Text, ForeignKey("hits.hit_key"), index=True, doc="The HIT."
    )
    worker_id: Mapped[str] = _text("The worker, as a keyed hash.")
    status: Mapped[str] = _text(
        "Submitted, Approved, Rejected, or Withdrawn: its worker took it back, or the provider "
        "no longer has it."
    )
    accepted_at: Mapped[datetime | None] = mapped_column(doc="When the worker took it.")
    submitted_at: Mapped[datetime | None] = mapped_column(doc="When the worker sent it.")
    seconds: Mapped[float | None] = mapped_column(
        Float, doc="From taking it to sending it; null: not known."
    )
    answer: Mapped[str] = _text("The answer as it came.")
    reason: Mapped[str | None] = _text("Why the answer could not be read; null: it could.")
    simulated: Mapped[bool] = mapped_column(doc="Whether the worker is simulated.")


class Payment(Base):
    """The ledger: one row a payment, written before it is made and confirmed afterwards."""

    __tablename__ = "payments"
    assignment_id: Mapped[str] = mapped_column(
        Text, ForeignKey("assignments.assignment_id"), primary_key=True, doc="For which work."
    )
    kind: Mapped[str] = _text("approve: the reward; bonus.", primary_key=True)
    amount: Mapped[str] = _text("For the worker: US dollars, as decimal text.")
    fee: Mapped[str] = _text("For the provider: US dollars, as decimal text.")
    mode: Mapped[str] = _text("Where it was paid and to whom, as the provider says it.")
    status: Mapped[str] = _text(
        "due: decided, not known to be paid; paid; void: the provider decided otherwise."
    )
    due_at: Mapped[datetime] = mapped_column(doc="When it was written down.")
    paid_at: Mapped[datetime | None] = mapped_column(doc="When it was known to be paid.")


class Vote(Base):
    """One worker's judgement of one (image, class)."""

    __tablename__ = "votes"
    assignment_id: Mapped[str] = mapped_column(
        Text, ForeignKey("assignments.assignment_id"), primary_key=True, doc="The page."
    )
    slot: Mapped[str] = _text("The slot on the page.", primary_key=True)
    image_id: Mapped[str] = mapped_column(Text, ForeignKey("images.image_id"), doc="The image.")
    class_id: Mapped[str] = _text("The class that was asked for.")
    worker_id: Mapped[str] = _text("The worker, as a keyed hash.")
    role: Mapped[str] = _text(ROLES)
    value: Mapped[str] = _text("yes, no, broken or not_shown; only yes and no are votes.")
    milliseconds: Mapped[int | None] = mapped_column(Integer, doc="When it was decided.")
    # All that a selection frequency needs, in its order: the votes themselves are not read.
    __table_args__ = (
        Index(
            "votes_by_image", "image_id", "class_id", "role", "value", "worker_id", "assignment_id"
        ),
    )


class Estimate(Base):
    """What `worker_estimates` was computed from, and how it went; one row or none."""

    __tablename__ = "estimates"
    votes_digest: Mapped[str] = _text("Digest of the usable votes, page by page.", primary_key=True)
    n_votes: Mapped[int] = mapped_column(Integer, doc="Votes, without repeats.")
    n_images: Mapped[int] = mapped_column(Integer, doc="Different (image, class).")
    prevalence: Mapped[float] = mapped_column(Float, doc="Estimated share of true yeses.")
    iterations: Mapped[int] = mapped_column(Integer, doc="Rounds of the EM algorithm.")
    converged: Mapped[bool] = mapped_column(doc="Whether the last round changed nothing.")


class WorkerEstimate(Base):
    """What all votes together say of one worker: Dawid and Skene's model, and agreement."""

    __tablename__ = "worker_estimates"
    worker_id: Mapped[str] = _text("The worker, as a keyed hash.", primary_key=True)
    n_votes: Mapped[int] = mapped_column(Integer, doc="The worker's usable votes, no repeats.")
    n_agreed: Mapped[int] = mapped_column(Integer, doc="Equal to the majority of the others.")
    n_compared: Mapped[int] = mapped_column(Integer, doc="Where the others have a majority.")
    sensitivity: Mapped[float] = mapped_column(Float, doc="Yes to a true yes, in (0, 1).")
    specificity: Mapped[float] = mapped_column(Float, doc="No to a true no, in (0, 1).")
    n_positive: Mapped[float] = mapped_column(Float, doc="Expected votes on true yeses.")
    n_negative: Mapped[float] = mapped_column(Float, doc="Expected votes on true noes.")
    informedness_se: Mapped[float] = mapped_column(
        Float, doc="Standard error of sensitivity + specificity - 1, taking the truths as found."
    )


class TestSet(Base):
    """One test set, one revision."""

    __test__ = False
    __tablename__ = "test_sets"
    name: Mapped[str] = _text("Its name.", primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True, doc="From 1.")
    strategy: Mapped[str] = _text("The sampling strategy.")
    parameters: Mapped[dict[str, Any]] = mapped_column(doc="The strategy's parameters.")
    digest: Mapped[str] = _text("SHA-256 of its manifest.")
    n: Mapped[int] = mapped_column(Integer, doc="Images.")
    match: Mapped[dict[str, Any]] = mapped_column(
        doc="How well it matches the original: on the votes it was drawn by, and on held-out ones."
    )
    created_at: Mapped[datetime] = mapped_column(doc="When it was drawn.")
    frozen_at: Mapped[datetime | None] = mapped_column(doc="When it was frozen; null: not yet.")


class TestSetImage(Base):
    """One image of one test set."""

    __test__ = False
    __tablename__ = "test_set_images"
    name: Mapped[str] = _text("The test set.", primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True, doc="Its revision.")
    position: Mapped[int] = mapped_column(Integer, primary_key=True, doc="From 0.")
    image_id: Mapped[str] = mapped_column(Text, ForeignKey("images.image_id"), doc="The image.")
    class_id: Mapped[str] = _text("Its class.")
    stratum: Mapped[str] = _text("The frequency bin it was drawn from.")
    filled: Mapped[bool] = mapped_column(doc="Whether it fills a gap of another bin.")


class Model(Base):
    """One model of the zoo."""

    __tablename__ = "models"
    name: Mapped[str] = _text("Its name.", primary_key=True)
    family: Mapped[str] = _text("Its family.")
    card: Mapped[dict[str, Any]] = mapped_column(doc="Preprocessing, parameters, provenance.")
    weights_digest: Mapped[str | None] = _text("SHA-256 of its weights' tensors.")
    path: Mapped[str | None] = _text("The weights, below the study folder.")
    status: Mapped[str] = _text("ok or failed.")
    reason: Mapped[str | None] = _text("Why it failed.")


class Prediction(Base):
    """One model's predictions on one set: integer counts and where the arrays are."""

    __tablename__ = "predictions"
    model: Mapped[str] = mapped_column(
        Text, ForeignKey("models.name"), primary_key=True, doc="The model."
    )
    set_name: Mapped[str] = _text("The set.", primary_key=True)
    set_digest: Mapped[str] = _text("The set's digest when it was scored.", primary_key=True)
    preprocessing: Mapped[str] = _text("Name and version of the preprocessing.", primary_key=True)
    precision: Mapped[str] = _text("Such as fp32.", primary_key=True)
    weights_digest: Mapped[str | None] = _text("The weights that were scored.")
    n: Mapped[int | None] = mapped_column(Integer, doc="Images scored.")
    correct: Mapped[int | None] = mapped_column(Integer, doc="Images right at top-1.")
    path: Mapped[str | None] = _text("The arrays, below the study folder.")
    predictions_digest: Mapped[str | None] = _text("SHA-256 of the predicted classes.")
    exploratory: Mapped[bool] = mapped_column(doc="Whether the set was not frozen.")
    status: Mapped[str] = _text("ok or failed.")
    reason: Mapped[str | None] = _text("Why it failed.")
