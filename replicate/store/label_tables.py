"""The tables of labelling: batches, HITs, assignments, payments, votes, and what they say."""

from datetime import datetime
from typing import Any

from sqlalchemy import Float, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from replicate.store.table_base import Base, text

ROLES = (
    "candidate, positive, negative, original (an original image that is judged beside the "
    "candidates) or repeat (an image shown a second time; counts in no frequency)."
)


class Batch(Base):
    """HITs that were published together: what was agreed to, and where they went."""

    __tablename__ = "batches"
    batch_id: Mapped[int] = mapped_column(Integer, primary_key=True, doc="1, 2, …")
    mode: Mapped[str] = text("Where the HITs went and who works there, as the provider says it.")
    provider: Mapped[str] = text("The provider's name; its fee table is meant.")
    endpoint: Mapped[str | None] = text("The provider's address, if it has one.")
    simulated: Mapped[bool] = mapped_column(doc="Whether the workers are simulated.")
    hits: Mapped[int] = mapped_column(Integer, doc="HITs that were agreed to.")
    assignments: Mapped[int] = mapped_column(Integer, doc="Their assignments.")
    reward: Mapped[str] = text("For workers, in all: US dollars, as decimal text.")
    fees: Mapped[str] = text("For the provider, in all: US dollars, as decimal text.")
    composition: Mapped[dict[str, Any]] = mapped_column(
        doc="The numbers of [label] that the pages were composed by."
    )
    composition_digest: Mapped[str] = text("The digest of those numbers.")
    confirmed_by: Mapped[str] = text("Who confirmed the cost: the name of the user.")
    confirmed_at: Mapped[datetime] = mapped_column(doc="When.")


class Hit(Base):
    """One page of work, composed from the pool; published once."""

    __tablename__ = "hits"
    hit_key: Mapped[str] = text(
        "Token made from the content; UniqueRequestToken.", primary_key=True
    )
    class_id: Mapped[str] = text("The class that is asked for.")
    number: Mapped[int] = mapped_column(Integer, doc="Its number within the class, from 0.")
    assignments: Mapped[int] = mapped_column(Integer, doc="How many workers are asked.")
    reward: Mapped[str] = text("US dollars an assignment, as decimal text.")
    hit_id: Mapped[str | None] = text("The provider's id, once it is published.")
    published_at: Mapped[datetime | None] = mapped_column(doc="When it was published.")
    status: Mapped[str] = text(
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
    slot: Mapped[str] = text("Its slot on the page: i01, i02, …", primary_key=True)
    image_id: Mapped[str] = mapped_column(Text, ForeignKey("images.image_id"), doc="The image.")
    role: Mapped[str] = text(ROLES)


class Assignment(Base):
    """One worker's submission of one HIT."""

    __tablename__ = "assignments"
    assignment_id: Mapped[str] = text("The provider's id.", primary_key=True)
    hit_key: Mapped[str] = mapped_column(
        Text, ForeignKey("hits.hit_key"), index=True, doc="The HIT."
    )
    worker_id: Mapped[str] = text("The worker, as a keyed hash.")
    status: Mapped[str] = text(
        "Submitted, Approved, Rejected, or Withdrawn: its worker took it back, or the provider "
        "no longer has it."
    )
    accepted_at: Mapped[datetime | None] = mapped_column(doc="When the worker took it.")
    submitted_at: Mapped[datetime | None] = mapped_column(doc="When the worker sent it.")
    seconds: Mapped[float | None] = mapped_column(
        Float, doc="From taking it to sending it; null: not known."
    )
    answer: Mapped[str] = text("The answer as it came.")
    reason: Mapped[str | None] = text("Why the answer could not be read; null: it could.")
    simulated: Mapped[bool] = mapped_column(doc="Whether the worker is simulated.")


class Payment(Base):
    """The ledger: one row a payment, written before it is made and confirmed afterwards."""

    __tablename__ = "payments"
    assignment_id: Mapped[str] = mapped_column(
        Text, ForeignKey("assignments.assignment_id"), primary_key=True, doc="For which work."
    )
    kind: Mapped[str] = text("approve: the reward; bonus.", primary_key=True)
    amount: Mapped[str] = text("For the worker: US dollars, as decimal text.")
    fee: Mapped[str] = text("For the provider: US dollars, as decimal text.")
    mode: Mapped[str] = text("Where it was paid and to whom, as the provider says it.")
    status: Mapped[str] = text(
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
    slot: Mapped[str] = text("The slot on the page.", primary_key=True)
    image_id: Mapped[str] = mapped_column(Text, ForeignKey("images.image_id"), doc="The image.")
    class_id: Mapped[str] = text("The class that was asked for.")
    worker_id: Mapped[str] = text("The worker, as a keyed hash.")
    role: Mapped[str] = text(ROLES)
    value: Mapped[str] = text("yes, no, broken or not_shown; only yes and no are votes.")
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
    votes_digest: Mapped[str] = text("Digest of the usable votes, page by page.", primary_key=True)
    n_votes: Mapped[int] = mapped_column(Integer, doc="Votes, without repeats.")
    n_images: Mapped[int] = mapped_column(Integer, doc="Different (image, class).")
    prevalence: Mapped[float] = mapped_column(Float, doc="Estimated share of true yeses.")
    iterations: Mapped[int] = mapped_column(Integer, doc="Rounds of the EM algorithm.")
    converged: Mapped[bool] = mapped_column(doc="Whether the last round changed nothing.")


class WorkerEstimate(Base):
    """What all votes together say of one worker: Dawid and Skene's model, and agreement."""

    __tablename__ = "worker_estimates"
    worker_id: Mapped[str] = text("The worker, as a keyed hash.", primary_key=True)
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
