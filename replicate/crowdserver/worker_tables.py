"""Tables of the workers' side: what pages show, and what each worker was shown."""

from sqlalchemy import BigInteger, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from replicate.crowdserver.table_base import Base


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
