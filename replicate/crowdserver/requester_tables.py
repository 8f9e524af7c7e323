"""Tables of what requesters do besides publishing: bonuses, blocks, messages, qualifications."""

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from replicate.crowdserver.table_base import Base, moment


def _requester() -> Mapped[str]:
    return mapped_column(doc="The account that it belongs to.", index=True)


def _worker(doc: str) -> Mapped[str]:
    return mapped_column(ForeignKey("workers.worker_id"), index=True, doc=doc)


class RequestToken(Base):
    """A UniqueRequestToken of a bonus or of additional assignments; it is never forgotten."""

    __tablename__ = "request_tokens"
    requester: Mapped[str] = mapped_column(primary_key=True, doc="The account that it belongs to.")
    operation: Mapped[str] = mapped_column(primary_key=True, doc="SendBonus, for example.")
    token: Mapped[str] = mapped_column(primary_key=True, doc="The token.")
    request_id: Mapped[str] = mapped_column(doc="The id of the request that was carried out.")
    made: Mapped[float] = moment("When it was used.")


class Reply(Base):
    """The answer to a call that changed something, for the same call sent once more.

    A client that lost the answer sends the call again under the same invocation id, and gets
    this answer; nothing is done twice.
    """

    __tablename__ = "replies"
    access_key_id: Mapped[str] = mapped_column(
        ForeignKey("keys.access_key_id"), primary_key=True, doc="The key that signed the call."
    )
    invocation_id: Mapped[str] = mapped_column(
        primary_key=True, doc="The client's own id of the call, amz-sdk-invocation-id."
    )
    digest: Mapped[str] = mapped_column(doc="SHA-256 of operation and body, in hexadecimal.")
    answer: Mapped[str] = mapped_column(doc="The answer, as JSON; of a HIT its id only.")
    made: Mapped[float] = moment("When it was given, by the machine's clock.", index=True)


class Bonus(Base):
    """Money promised to a worker beyond the reward; this server moves none."""

    __tablename__ = "bonuses"
    serial: Mapped[int] = mapped_column(primary_key=True, doc="Counts up, in the order of making.")
    requester: Mapped[str] = _requester()
    assignment_id: Mapped[str] = mapped_column(
        ForeignKey("assignments.assignment_id"), index=True, doc="The work that it is for."
    )
    worker_id: Mapped[str] = _worker("Who gets it.")
    amount: Mapped[str] = mapped_column(doc="US dollars, with two decimals.")
    reason: Mapped[str] = mapped_column(doc="Why, as the worker reads it.")
    granted: Mapped[float] = moment("When it was given.")


class WorkerBlock(Base):
    """A worker who sees and takes up nothing of a requester."""

    __tablename__ = "worker_blocks"
    requester: Mapped[str] = mapped_column(primary_key=True, doc="Who blocks.")
    worker_id: Mapped[str] = mapped_column(
        ForeignKey("workers.worker_id"), primary_key=True, index=True, doc="Who is blocked."
    )
    reason: Mapped[str] = mapped_column(doc="Why; the worker does not see it.")
    made: Mapped[float] = moment("When.")


class Message(Base):
    """Something that a requester lets a worker know."""

    __tablename__ = "messages"
    serial: Mapped[int] = mapped_column(primary_key=True, doc="Counts up, in the order of sending.")
    worker_id: Mapped[str] = _worker("Who reads it.")
    requester: Mapped[str] = _requester()
    subject: Mapped[str] = mapped_column(doc="Its subject.")
    text: Mapped[str] = mapped_column(doc="What it says, as plain text.")
    sent: Mapped[float] = moment("When it was sent.")


class QualificationType(Base):
    """A property of workers that HITs can ask for; those of the server have no requester."""

    __tablename__ = "qualification_types"
    serial: Mapped[int] = mapped_column(primary_key=True, doc="Counts up, in the order of making.")
    qualification_type_id: Mapped[str] = mapped_column(
        unique=True, doc="A keyed hash of requester and number; fixed for those of the server."
    )
    requester: Mapped[str] = mapped_column(
        index=True, doc="The account that it belongs to; empty: the server's own."
    )
    name: Mapped[str] = mapped_column(doc="Unique among a requester's types that are not deleted.")
    keywords: Mapped[str] = mapped_column(doc="Keywords; empty if there are none.")
    description: Mapped[str] = mapped_column(doc="What it means, as workers read it.")
    status: Mapped[str] = mapped_column(doc="Active or Inactive.")
    test: Mapped[str | None] = mapped_column(doc="The test's QuestionForm; null: no test.")
    answer_key: Mapped[str | None] = mapped_column(doc="The test's AnswerKey; null: none.")
    test_duration: Mapped[int | None] = mapped_column(doc="Seconds for the test; null: no test.")
    retry_delay: Mapped[int | None] = mapped_column(
        doc="Seconds until a worker can ask again; null: a worker can ask once only."
    )
    auto_granted: Mapped[int] = mapped_column(doc="1 if every request is granted at once, else 0.")
    auto_value: Mapped[int] = mapped_column(doc="The value that is then granted.")
    created: Mapped[float] = moment("When it was made.")
    deleted: Mapped[int] = mapped_column(doc="1 once it is deleted, otherwise 0.")


class Qualification(Base):
    """What a worker has been granted."""

    __tablename__ = "qualifications"
    __table_args__ = (Index(None, "qualification_type_id", "status", "granted"),)
    qualification_type_id: Mapped[str] = mapped_column(
        ForeignKey("qualification_types.qualification_type_id"), primary_key=True, doc="What."
    )
    worker_id: Mapped[str] = mapped_column(
        ForeignKey("workers.worker_id"), primary_key=True, index=True, doc="Whose."
    )
    value: Mapped[int | None] = mapped_column(doc="Its value; null: a place, or none.")
    locale: Mapped[str | None] = mapped_column(
        doc="A country (ISO 3166), or country and subdivision joined by a hyphen; null: none."
    )
    status: Mapped[str] = mapped_column(doc="Granted or Revoked.")
    granted: Mapped[float] = moment("When it was granted, the last time.")
    reason: Mapped[str | None] = mapped_column(
        doc="Why it was revoked, as the worker reads it; null: nothing was said."
    )


class QualificationRequest(Base):
    """A worker's wish for a qualification."""

    __tablename__ = "qualification_requests"
    __table_args__ = (UniqueConstraint("request_id"), Index(None, "state", "serial"))
    serial: Mapped[int] = mapped_column(primary_key=True, doc="Counts up, in the order of asking.")
    request_id: Mapped[str] = mapped_column(doc="A keyed hash of type, worker and number.")
    qualification_type_id: Mapped[str] = mapped_column(
        ForeignKey("qualification_types.qualification_type_id"), index=True, doc="For what."
    )
    worker_id: Mapped[str] = _worker("Who asks.")
    answer: Mapped[str | None] = mapped_column(
        doc="The answers to the test, as QuestionFormAnswers XML; null: there was none."
    )
    submitted: Mapped[float] = moment("When.")
    state: Mapped[str] = mapped_column(doc="Testing, Pending, Granted or Rejected.")
    decided: Mapped[float | None] = moment("When it was decided; null: it is pending.")
    reason: Mapped[str | None] = mapped_column(
        doc="Why it was rejected, as the worker reads it; null: nothing was said."
    )
