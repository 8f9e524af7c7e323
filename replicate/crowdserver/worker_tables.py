"""Tables of the workers' side: what they were shown, and how they came to us."""

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from replicate.crowdserver.table_base import Base, moment


class HitImage(Base):
    """An image of a class on a HIT's page; a HIT whose page names no class has none here."""

    __tablename__ = "hit_images"
    __table_args__ = (
        Index(None, "image", "serial"),
        {"sqlite_with_rowid": False},
    )
    serial: Mapped[int] = mapped_column(
        ForeignKey("hits.serial"), primary_key=True, autoincrement=False, doc="The HIT."
    )
    image: Mapped[int] = mapped_column(
        BigInteger,
        primary_key=True,
        autoincrement=False,
        doc="The first 63 bits of the SHA-256 of class and image.",
    )


class Seen(Base):
    """An image of a class that a worker was shown: once, on one HIT, whatever became of it."""

    __tablename__ = "seen"
    __table_args__ = ({"sqlite_with_rowid": False},)
    worker_id: Mapped[str] = mapped_column(
        ForeignKey("workers.worker_id"), primary_key=True, doc="The worker."
    )
    image: Mapped[int] = mapped_column(
        BigInteger,
        primary_key=True,
        autoincrement=False,
        doc="The image of a class, as in hit_images.",
    )
    serial: Mapped[int] = mapped_column(
        ForeignKey("hits.serial"), doc="The HIT that showed it; the worker may take it up again."
    )


class Recruitment(Base):
    """A link that a recruiting platform sends its participants to."""

    __tablename__ = "recruitments"
    number: Mapped[int] = mapped_column(primary_key=True, doc="Counts up, in the order of making.")
    name: Mapped[str] = mapped_column(unique=True, doc="Its requester's name for it.")
    token_hash: Mapped[str] = mapped_column(
        unique=True, doc="SHA-256 of the token in the link, in hexadecimal."
    )
    parameters: Mapped[str] = mapped_column(
        doc="JSON: the parameters that the platform adds to the link; the first one is the id."
    )
    completion_code: Mapped[str] = mapped_column(
        doc="What a participant who has done enough takes back to the platform."
    )
    completion_url: Mapped[str | None] = mapped_column(
        doc="Where they take it, with {code} in its place; null: they copy it themselves."
    )
    hits_per_worker: Mapped[int | None] = mapped_column(
        doc="How many HITs one participant may do; null: any number."
    )
    hits_needed: Mapped[int] = mapped_column(
        doc="How many HITs a participant must send in to get the code."
    )
    created: Mapped[float] = moment("When it was made, by the machine's clock.")


class Participation(Base):
    """A worker who followed a recruiting platform's link."""

    __tablename__ = "participations"
    worker_id: Mapped[str] = mapped_column(
        ForeignKey("workers.worker_id"),
        primary_key=True,
        doc="A keyed hash of the platform's parameter and the id in it; the id is not kept.",
    )
    recruitment: Mapped[int] = mapped_column(
        ForeignKey("recruitments.number"), primary_key=True, index=True, doc="The link."
    )
    joined: Mapped[float] = moment("When they first followed it.")
    completed: Mapped[float | None] = moment("When they were first shown the code; null: not yet.")
