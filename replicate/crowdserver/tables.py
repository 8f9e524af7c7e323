"""The crowd server's tables. Times are seconds since 1970 in UTC, as the protocol has them."""

from sqlalchemy import Float, ForeignKey, Index, Integer, MetaData, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables of a crowd server's database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: Text, int: Integer, float: Float}  # noqa: RUF012


class Setting(Base):
    """What the server knows of itself: its secret, the address that browsers reach it by."""

    __tablename__ = "settings"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class Key(Base):
    """A requester's key. The secret is kept as it is, for signatures are made with it."""

    __tablename__ = "keys"
    access_key_id: Mapped[str] = mapped_column(primary_key=True)
    secret: Mapped[str]
    requester: Mapped[str]
    created: Mapped[float]


class Worker(Base):
    """A worker, by a keyed hash of the name that they were invited by; the name is not kept."""

    __tablename__ = "workers"
    worker_id: Mapped[str] = mapped_column(primary_key=True)
    created: Mapped[float]


class Invitation(Base):
    """A link that lets one worker in; only a hash of its token is kept."""

    __tablename__ = "invitations"
    token_hash: Mapped[str] = mapped_column(primary_key=True)
    worker_id: Mapped[str] = mapped_column(ForeignKey("workers.worker_id"), index=True)
    created: Mapped[float]


class HitType(Base):
    """The terms that HITs share; the id is a keyed hash of them."""

    __tablename__ = "hit_types"
    hit_type_id: Mapped[str] = mapped_column(primary_key=True)
    requester: Mapped[str]
    title: Mapped[str]
    description: Mapped[str]
    keywords: Mapped[str]
    reward: Mapped[str]
    duration: Mapped[int]
    auto_approval_delay: Mapped[int]


class Hit(Base):
    """One page of work."""

    __tablename__ = "hits"
    __table_args__ = (UniqueConstraint("requester", "request_token"),)
    serial: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    hit_id: Mapped[str] = mapped_column(unique=True)
    hit_type_id: Mapped[str] = mapped_column(ForeignKey("hit_types.hit_type_id"), index=True)
    requester: Mapped[str]
    request_token: Mapped[str | None]
    question: Mapped[str]
    annotation: Mapped[str | None]
    max_assignments: Mapped[int]
    created: Mapped[float]
    expires: Mapped[float] = mapped_column(index=True)
    disposed: Mapped[int] = mapped_column(default=0)


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
        Index(None, "worker_id", "state"),
        Index(None, "state", "deadline"),
        Index(None, "state", "auto_approval"),
    )
    assignment_id: Mapped[str] = mapped_column(primary_key=True)
    hit_id: Mapped[str] = mapped_column(ForeignKey("hits.hit_id"))
    worker_id: Mapped[str] = mapped_column(ForeignKey("workers.worker_id"))
    state: Mapped[str]
    accepted: Mapped[float]
    deadline: Mapped[float]
    submitted: Mapped[float | None]
    auto_approval: Mapped[float | None]
    decided: Mapped[float | None]
    answer: Mapped[str | None]
    feedback: Mapped[str | None]
    draft: Mapped[str | None]
