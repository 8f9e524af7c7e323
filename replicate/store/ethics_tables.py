"""The tables of what people object to: takedowns, reports that an image is unsafe, and checks."""

from datetime import datetime

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from replicate.store.table_base import Base, text


class Takedown(Base):
    """What is to be used no more: an image, an address, or all that an owner posted."""

    __tablename__ = "takedowns"
    kind: Mapped[str] = text("image, address or owner.", primary_key=True)
    value: Mapped[str] = text(
        "The image id; the address of a file or of a page that shows it; the owner's name or id.",
        primary_key=True,
    )
    reason: Mapped[str] = text("Why.")
    requested_by: Mapped[str | None] = text("Who asked for it; null: not written down.")
    at: Mapped[datetime] = mapped_column(doc="When it was entered.")
    erased_at: Mapped[datetime | None] = mapped_column(
        doc="When the files of its images were last deleted; null: they were kept."
    )
    lifted_at: Mapped[datetime | None] = mapped_column(
        doc="When it was lifted, and means nothing any more; null: it is in force."
    )


class SafetyFlag(Base):
    """One person's report that an image is unsafe: offensive, or private."""

    __tablename__ = "safety_flags"
    image_id: Mapped[str] = mapped_column(
        Text, ForeignKey("images.image_id"), primary_key=True, doc="The image."
    )
    flagged_by: Mapped[str] = text(
        "The worker, as a keyed hash; or the reviewer's name.", primary_key=True
    )
    source: Mapped[str] = text("worker or reviewer.")
    reason: Mapped[str] = text("What was said of it; may be empty.")
    assignment_id: Mapped[str | None] = text("The worker's page; null: a reviewer's report.")
    at: Mapped[datetime] = mapped_column(doc="When it was reported, or collected.")


class SafetyCheck(Base):
    """Somebody has looked at an image that was reported, and found that it may stay."""

    __tablename__ = "safety_checks"
    image_id: Mapped[str] = mapped_column(
        Text, ForeignKey("images.image_id"), primary_key=True, doc="The image."
    )
    checked_by: Mapped[str] = text("Who looked: the name of the user.")
    note: Mapped[str] = text("Why it may stay; may be empty.")
    at: Mapped[datetime] = mapped_column(doc="When. What reviewers report later counts again.")
