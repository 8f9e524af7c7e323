"""The crowd server's tables. Times are seconds since 1970 in UTC, as the protocol has them."""

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

import replicate.crowdserver.requester_tables
import replicate.crowdserver.worker_tables  # noqa: F401  (the rest of the schema)
from replicate.crowdserver.table_base import Base as Base
from replicate.crowdserver.table_base import moment as _moment


class Setting(Base):
    """What the server knows of itself: its secret, the address that browsers reach it by."""

    __tablename__ = "settings"
    name: Mapped[str] = mapped_column(
        primary_key=True,
        doc="secret, base_url, clock_offset, invitations, or signed_out and a key's id.",
    )
    value: Mapped[str] = mapped_column(
        doc="Its value as text: the key of all ids and signatures in hexadecimal, "
        "the address, the seconds that a sandbox's clock is ahead, how many were invited, or when "
        "that key's sessions ended.",
    )


class Key(Base):
    """A requester's key. The secret is kept as it is, for signatures are made with it."""

    __tablename__ = "keys"
    access_key_id: Mapped[str] = mapped_column(
        primary_key=True, doc="The access key id that requests name."
    )
    secret: Mapped[str] = mapped_column(doc="The secret access key.")
    requester: Mapped[str] = mapped_column(doc="The account that it acts for.")
    created: Mapped[float] = _moment("When it was made, by the machine's clock.")
    revoked: Mapped[float | None] = _moment(
        "When it was revoked, by the machine's clock; null: it works."
    )


class Worker(Base):
    """A worker, by a keyed hash of a name or of a platform's id; neither is kept."""

    __tablename__ = "workers"
    worker_id: Mapped[str] = mapped_column(
        primary_key=True,
        doc="A keyed hash of a name or a platform's id; random once they left.",
    )
    created: Mapped[float] = _moment("When the worker was first invited, by the machine's clock.")


class Invitation(Base):
    """A link that lets one worker in; only a hash of its token is kept."""

    __tablename__ = "invitations"
    token_hash: Mapped[str] = mapped_column(
        primary_key=True, doc="SHA-256 of the token in the link, in hexadecimal."
    )
    worker_id: Mapped[str] = mapped_column(
        ForeignKey("workers.worker_id"), index=True, doc="The worker whom it lets in."
    )
    created: Mapped[float] = _moment("When it was made, by the machine's clock.")


class HitType(Base):
    """The terms that HITs share; the id is a keyed hash of them."""

    __tablename__ = "hit_types"
    hit_type_id: Mapped[str] = mapped_column(
        primary_key=True, doc="A keyed hash of the requester and the terms."
    )
    requester: Mapped[str] = mapped_column(doc="The account that it belongs to.")
    title: Mapped[str] = mapped_column(doc="The title that workers see on their list.")
    description: Mapped[str] = mapped_column(doc="What the work is, as workers see it.")
    keywords: Mapped[str] = mapped_column(
        doc="Keywords as they were given; empty if there are none."
    )
    reward: Mapped[str] = mapped_column(
        doc="US dollars for one approved assignment, with two decimals."
    )
    duration: Mapped[int] = mapped_column(
        doc="Seconds from taking up an assignment to its deadline."
    )
    auto_approval_delay: Mapped[int] = mapped_column(
        doc="Seconds from sending in to approval, if nobody decides before."
    )
    requirements: Mapped[str] = mapped_column(
        default="[]",
        server_default="[]",
        doc="What is required of workers: QualificationRequirements as JSON.",
    )


class Hit(Base):
    """One page of work."""

    __tablename__ = "hits"
    __table_args__ = (
        UniqueConstraint("requester", "request_token"),
        # What decides whether a HIT is listed, so that those done are passed over in the index.
        Index("ix_hits_open", "disposed", "serial", "expires", "max_assignments", "done"),
    )
    serial: Mapped[int] = mapped_column(
        primary_key=True, autoincrement=True, doc="Counts up from 1, in the order of making."
    )
    hit_id: Mapped[str] = mapped_column(
        unique=True,
        doc="A keyed hash of the requester and the request token, or of the serial without one.",
    )
    hit_type_id: Mapped[str] = mapped_column(
        ForeignKey("hit_types.hit_type_id"), index=True, doc="The terms."
    )
    requester: Mapped[str] = mapped_column(doc="The account that it belongs to.")
    request_token: Mapped[str | None] = mapped_column(
        doc="UniqueRequestToken: one HIT a token, for ever; null: none was given."
    )
    question: Mapped[str] = mapped_column(doc="The question's XML, as it was given.")
    annotation: Mapped[str | None] = mapped_column(
        doc="RequesterAnnotation, not shown to workers; null: none was given."
    )
    max_assignments: Mapped[int] = mapped_column(doc="How many workers can do it.")
    created: Mapped[float] = _moment("When it was made.")
    expires: Mapped[float] = _moment("When it can no longer be taken up.", index=True)
    disposed: Mapped[int] = mapped_column(default=0, doc="1 once it is deleted, otherwise 0.")
    reviewing: Mapped[int] = mapped_column(
        default=0, server_default="0", doc="1 while its requester reviews it, otherwise 0."
    )
    done: Mapped[int] = mapped_column(
        default=0, server_default="0", doc="How many assignments were sent in."
    )
    max_per_worker: Mapped[int | None] = mapped_column(
        doc="How many HITs of its type one worker may do, as its page says; null: any number."
    )


class Assignment(Base):
    """One worker's piece of work on one HIT.

    ``state`` is ``Accepted``, ``Returned``, ``Abandoned``, ``Submitted``, ``Approved`` or
    ``Rejected``. A worker who takes up a HIT again, after returning or abandoning it, has the
    same row and the same id.
    """

    __tablename__ = "assignments"
    __table_args__ = (
        UniqueConstraint("hit_id", "worker_id"),
        Index(None, "hit_id", "state"),
        # How far a worker is, without a look at the answers.
        Index("ix_assignments_standing", "worker_id", "state", "recruitment", "withdrawn"),
        Index(None, "state", "deadline"),
        Index(None, "state", "auto_approval"),
    )
    assignment_id: Mapped[str] = mapped_column(
        primary_key=True, doc="A keyed hash of HIT and worker."
    )
    hit_id: Mapped[str] = mapped_column(ForeignKey("hits.hit_id"), doc="The HIT.")
    worker_id: Mapped[str] = mapped_column(ForeignKey("workers.worker_id"), doc="Who does it.")
    state: Mapped[str] = mapped_column(
        doc="Accepted, Returned, Abandoned, Submitted, Approved or Rejected."
    )
    accepted: Mapped[float] = _moment("When it was taken up, the last time.")
    deadline: Mapped[float] = _moment(
        "When it is abandoned, unless it is sent in or returned before."
    )
    submitted: Mapped[float | None] = _moment("When it was sent in; null: not yet.")
    auto_approval: Mapped[float | None] = _moment(
        "When it is approved, if nobody decides before; null: not sent in."
    )
    decided: Mapped[float | None] = _moment(
        "When it was approved or rejected, the last time; null: not yet."
    )
    answer: Mapped[str | None] = mapped_column(
        doc="What was sent in, as QuestionFormAnswers XML; null: not sent in."
    )
    feedback: Mapped[str | None] = mapped_column(
        doc="What the requester said at the last decision; null: nothing."
    )
    recruitment: Mapped[int | None] = mapped_column(
        ForeignKey("recruitments.number"),
        doc="The recruiting platform's link by which the worker came; null: an invitation.",
    )
    withdrawn: Mapped[float | None] = _moment(
        "When the worker withdrew the answer, which is gone since then; null: they have not."
    )
    draft: Mapped[str | None] = mapped_column(
        doc="What the page had so far, as JSON; null: nothing was kept, or it was "
        "returned, taken up again or sent in.",
    )
