"""The tables of reviews: what people say of near-duplicate pairs, and of the images of a set.

Rows are only ever added. What counts is the latest of each reviewer; the first one was given
before the reviewer could see what others say, so agreement is measured on that.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from replicate.store.table_base import Base, text


class DuplicateVerdict(Base):
    """What one reviewer said of one pair of images, at one moment."""

    __tablename__ = "duplicate_verdicts"
    verdict_id: Mapped[int] = mapped_column(Integer, primary_key=True, doc="Counts up from 1.")
    reference_id: Mapped[str] = mapped_column(
        Text, ForeignKey("images.image_id"), doc="The first image of the pair, as in the pairs."
    )
    candidate_id: Mapped[str] = mapped_column(
        Text, ForeignKey("images.image_id"), doc="The candidate of the pair."
    )
    reviewer: Mapped[str] = text("Who said it: the name they were invited by.")
    verdict: Mapped[str] = text("same, different, unsure, or withdrawn: taken back.")
    at: Mapped[datetime] = mapped_column(doc="When.")
    __table_args__ = (Index("duplicate_verdicts_by_pair", "candidate_id", "reference_id"),)


class SetReview(Base):
    """What one reviewer said of one image as a picture of its class, at one moment."""

    __tablename__ = "set_reviews"
    review_id: Mapped[int] = mapped_column(Integer, primary_key=True, doc="Counts up from 1.")
    image_id: Mapped[str] = mapped_column(Text, ForeignKey("images.image_id"), doc="The image.")
    class_id: Mapped[str] = text("The class that it was judged for.")
    reviewer: Mapped[str] = text("Who said it: the name they were invited by.")
    verdict: Mapped[str] = text("ok, exclude, unsure, or withdrawn: taken back.")
    flags: Mapped[list[Any]] = mapped_column(
        doc="Why: wrong_class, ambiguous, near_duplicate, offensive, not_a_photo."
    )
    note: Mapped[str] = text("What the reviewer wrote; may be empty.")
    set_name: Mapped[str] = text("The test set that was looked at.")
    revision: Mapped[int] = mapped_column(Integer, doc="Its revision.")
    at: Mapped[datetime] = mapped_column(doc="When.")
    __table_args__ = (Index("set_reviews_by_image", "image_id", "class_id"),)
